"""The README's table of clients and providers is drawn from what the other tests here have run."""

import re
from pathlib import Path

from gateway.exchange import Endpoint
from gateway.providers.dialects import CLIENTS, NATIVE, WIRES, between
from tests.gateway.providers.scenes_clouds import SCENES
from tests.gateway.providers.test_translation import MATRIX

README = Path(__file__).parents[3] / "README.md"
BLOCK = re.compile(r"<!-- providers -->\n(.*?)<!-- end -->", re.DOTALL)


def cell(endpoint, dialect):
    """Return what stands where an endpoint of clients meets a dialect of providers."""
    if (endpoint, dialect) in NATIVE:
        return "as it is"
    return "translated" if between(endpoint, dialect) else ""


def table():
    """Return the table: endpoints of clients down, dialects of providers across."""
    lines = ["| " + " | ".join(["clients", *WIRES]) + " |", "| --- " * (len(WIRES) + 1) + "|"]
    for endpoint in Endpoint:
        cells = [cell(endpoint, dialect) for dialect in WIRES]
        if any(cells):
            lines.append("| " + " | ".join([f"`{endpoint.value}`", *cells]) + " |")
    return "\n".join(lines) + "\n"


def test_the_readme_shows_who_can_speak_with_whom():
    found = BLOCK.search(README.read_text())
    assert found is not None
    assert found[1] == table()


def test_every_conversation_with_every_provider_is_tried():
    """Whole, streamed and gathered, in every scene: see test_translation.py; the completions API,
    which tells words alone, is in completions/test_completions.py."""
    told = {dialect for dialect, _ in SCENES}
    tried = {(endpoint, dialect) for endpoint, dialect, _ in MATRIX}
    tried |= {(Endpoint.COMPLETIONS, dialect) for dialect in told}
    assert told | {"simulated"} >= set(WIRES)
    assert tried == {(endpoint, dialect) for endpoint in CLIENTS for dialect in told}
