"""How well the detectors find, and what they find where nothing is.

    python -m tests.bench.quality [--write]

One threshold for all. The tables stand in docs/detectors.md between two marks; `--write` draws them
anew. The corpora (corpora.py) come from a seed, so the figures are the same on every machine.
"""

import re
import sys
from collections import Counter
from pathlib import Path
from random import Random

from policies.detectors.finding import Leaf
from policies.detectors.scanner import DetectorConfig, Scanner
from tests.bench.corpora import CARRIERS, HARMLESS, PARAPHRASES, PII, SECRETS
from tests.policies.detectors.wordings import BENIGN, INJECTIONS

PAGE = Path(__file__).parents[2] / "docs" / "detectors.md"
MARKS = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)
THRESHOLD = 0.4
EACH = 60
SEED = 20261127
DETECTORS = {"pii": "pii", "secret": "secrets", "injection": "injection"}
CONFIG = DetectorConfig(countries=("US", "GB", "ES", "DE"), phone_regions=("US", "GB", "DE"))


def found(scanner, text):
    """Return the findings in a text that reach the threshold."""
    scan = scanner.scan([Leaf(text, "user", "messages/0/content")], frozenset(DETECTORS.values()))
    return [finding for finding in scan.findings if finding.score >= THRESHOLD]


class Tally:
    """What was to be found of one kind, what was found of it, and what was found beside it."""

    def __init__(self):
        self.asked = self.hits = self.beside = 0
        self.missed = []

    def note(self, kind, place, findings, text):
        """Count one text that holds one value of this kind at a place."""
        start, end = place
        self.asked += 1
        right = [f for f in findings if f.kind == kind and f.start < end and start < f.end]
        self.hits += bool(right)
        self.beside += len([f for f in findings if f not in right])
        if not right:
            self.missed.append(text)

    @property
    def recall(self):
        """Found of what was asked."""
        return self.hits / self.asked

    @property
    def precision(self):
        """Right of what was found."""
        return self.hits / max(1, self.hits + self.beside)


def values(scanner, random, makers):
    """Judge values of each kind in every carrier."""
    tallies = {}
    for kind, (make, word) in makers.items():
        tally = tallies[kind] = Tally()
        for number in range(EACH):
            value = make(random)
            text = CARRIERS[number % len(CARRIERS)].format(word=word, value=value)
            start = text.index(value)
            tally.note(kind, (start, start + len(value)), found(scanner, text), text)
    return tallies


def harmless(scanner, random):
    """Return, by kind of text, the share in which each category finds anything, and what it is."""
    rates, kinds_of = {}, {}
    for name, make in HARMLESS.items():
        texts = [make(random) for _ in range(4 * EACH)]
        findings = [found(scanner, text) for text in texts]
        kinds = [{finding.category for finding in each} for each in findings]
        rates[name] = [sum(c in each for each in kinds) / len(texts) for c in DETECTORS]
        counted = Counter(kind for each in findings for kind in {f.kind for f in each})
        kinds_of[name] = ", ".join(kind for kind, _ in counted.most_common())
    return rates, kinds_of


def score(scanner, text):
    """Return whether any signal of an injection reaches the threshold."""
    return any(finding.category == "injection" for finding in found(scanner, text))


def percent(value):
    return f"{100 * value:.1f} %"


def tables():
    """Return the tables of the page."""
    random, scanner = Random(SEED), Scanner(CONFIG)
    secrets = {kind: (make, "value") for kind, make in SECRETS.items()}
    lines = [f"Threshold {THRESHOLD} for all; {EACH} values of each kind in six carriers.", ""]
    lines += ["| kind | recall | precision | missed, such as |", "| --- | --- | --- | --- |"]
    for tallies in (values(scanner, random, PII), values(scanner, random, secrets)):
        for kind, tally in tallies.items():
            missed = f"`{tally.missed[0].replace('|', ' ')[:70]}`" if tally.missed else ""
            shown = (kind, percent(tally.recall), percent(tally.precision), missed)
            lines.append("| " + " | ".join(shown) + " |")
    lines += ["", "Texts that hold nothing, and in how many of them something was found:", ""]
    lines += ["| texts | pii | secret | injection | what |", "| --- | --- | --- | --- | --- |"]
    rates, kinds_of = harmless(scanner, random)
    for name, each in rates.items():
        lines.append(f"| {name} | " + " | ".join([*map(percent, each), kinds_of[name]]) + " |")
    known = [text for text in INJECTIONS if not score(scanner, text)]
    wrong = [text for text in BENIGN if score(scanner, text)]
    other = [text for text in PARAPHRASES if not score(scanner, text)]
    lines += [
        "",
        "Injections:",
        "",
        "| sentences | of them | found |",
        "| --- | --- | --- |",
        f"| wordings that the signals were made for | {len(INJECTIONS)} | "
        f"{percent(1 - len(known) / len(INJECTIONS))} |",
        f"| honest sentences close to them | {len(BENIGN)} | {percent(len(wrong) / len(BENIGN))} |",
        f"| the same intentions in other words | {len(PARAPHRASES)} | "
        f"{percent(1 - len(other) / len(PARAPHRASES))} |",
        "",
        "Not found, of the last row:",
        "",
        *[f"- {text}" for text in other],
        "",
    ]
    return "\n".join(lines)


def main():
    """Print the tables, or write them into the page."""
    text = tables()
    if "--write" in sys.argv:
        page = PAGE.read_text()
        PAGE.write_text(MARKS.sub(lambda mark: mark[1] + text + mark[2], page))
    else:
        print(text)


if __name__ == "__main__":
    main()
