"""The examples of docs/transformation.md do what it says of them."""

import json
import re
from pathlib import Path

import pytest

from gateway.declaration.document import Names, read
from gateway.exchange import Endpoint
from gateway.transformation.reading import KEYS, reader
from policies.pdp.yaml_text import read_yaml

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/transformation.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(yaml|json)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
STEPS = [text for kind, text in BLOCKS if kind == "yaml" and text.startswith("- ")]
SHOWN = [
    (BLOCKS[at][1], BLOCKS[at + 1][1], BLOCKS[at + 2][1])
    for at in range(len(BLOCKS) - 2)
    if [kind for kind, _ in BLOCKS[at : at + 3]] == ["yaml", "json", "json"]
]


def steps_of(text):
    return reader(of_route=False)(read_yaml(text)).steps


@pytest.mark.parametrize("text", STEPS)
def test_every_step_that_is_shown_can_be_declared(text):
    assert steps_of(text)


@pytest.mark.parametrize(("text", "sent", "judged"), SHOWN)
def test_every_body_that_is_shown_becomes_what_is_shown(text, sent, judged):
    body = json.loads(sent)
    for step in steps_of(text):
        body = step.applied(Endpoint.CHAT, body, {})
    assert body == json.loads(judged)


def test_the_file_that_is_shown_can_be_applied(tmp_path):
    (file,) = (text for kind, text in BLOCKS if kind == "yaml" and text.startswith("version"))
    path = tmp_path / "gatehouse.yaml"
    path.write_text(file, encoding="utf-8")
    (tenant,) = read(path, {}, Names(models=frozenset({"small", "large"}))).tenants
    assert tenant.apps[0].transformation.steps[0].defaults == ((("temperature",), 0.2),)


def test_every_key_is_told_and_there_is_something_to_show():
    assert (len(STEPS), len(SHOWN)) == (6, 2)
    assert all(f"`{key}`" in TEXT for key in KEYS)
