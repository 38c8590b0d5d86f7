"""Texts to begin a policy with: files that come with the product, each with tests of its own."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from policies.pdp.language import parse_document

FOLDER = Path(__file__).with_name("template_texts")
PLACE = "{name}"
"""Stands for the name of the policy that is made of a template."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text in which only the policy's name is open."""

    name: str
    description: str
    rules: int
    text: str

    @property
    def label(self) -> str:
        """The name as people read it."""
        return self.name.replace("-", " ").replace("eu ", "EU ").replace("pii", "PII")

    def source(self, policy: str) -> str:
        """Return the text for a policy of this name."""
        return self.text.replace(PLACE, policy, 1)


@cache
def templates() -> dict[str, Template]:
    """Return every template by its name."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.yaml"))}


def _read(path: Path) -> Template:
    text = path.read_text(encoding="utf-8")
    document = parse_document(text.replace(PLACE, path.stem, 1))
    return Template(path.stem, document.description.strip(), len(document.rules), text)
