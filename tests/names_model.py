"""A tiny model of names that the tests train themselves, and the process that reads with it.

It learns a few first and last names, cities and companies from sentences made from a seed: enough
to find these again in sentences of their form, and nothing else.
"""

import contextlib
import fcntl
import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import spacy
from spacy.training import Example

from gateway.ner.asking import NoAnswer, hello
from tests.stack import eventually

ROOT = Path(__file__).parents[1]
FIRST = ("Maria", "Tom", "Ines", "Karl", "Zo\u00eb", "Ahmed", "Olga", "Peter")
LAST = ("Keller", "Rossi", "Nov\u00e1k", "Smith", "Okafor", "Lind")
CITIES = ("Berlin", "Madrid", "Oslo", "Lagos", "Z\u00fcrich")
FIRMS = ("Acme", "Globex", "Initech")
FORMS = (
    "{p} lives in {c} .",
    "Please write to {p} at {o} .",
    "I met {p} in {c} yesterday .",
    "{o} opened an office in {c} .",
    "My name is {p} .",
    "Ask {p} .",
    "The train to {c} is late .",
    "\u201c{p}\u201d \u2014 {c} \U0001f600 .",
    "Hello there .",
    "What is the weather like today ?",
    "The invoice of {o} is wrong .",
)
LABELS = {"p": "PERSON", "c": "GPE", "o": "ORG"}


def _sentence(rng):
    """Return a sentence and where its names stand, with their labels."""
    text, places = "", []
    form = rng.choice(FORMS)
    while form:
        before, _, rest = form.partition("{")
        text += before
        if not rest:
            break
        value = {
            "p": f"{rng.choice(FIRST)} {rng.choice(LAST)}",
            "c": rng.choice(CITIES),
            "o": rng.choice(FIRMS),
        }[rest[0]]
        places.append((len(text), len(text) + len(value), LABELS[rest[0]]))
        text += value
        form = rest[2:]
    return text, places


def train(folder, name="tiny", seed=7):
    """Train a model, write it to the folder, and return that."""
    spacy.util.fix_random_seed(seed)
    rng = random.Random(seed)
    nlp = spacy.blank("en")
    nlp.meta["name"] = name
    ner = nlp.add_pipe("ner", config={"model": {"tok2vec": {"width": 48, "depth": 2}}})
    for label in LABELS.values():
        ner.add_label(label)
    examples = []
    for _ in range(160):
        text, places = _sentence(rng)
        examples.append(Example.from_dict(nlp.make_doc(text), {"entities": places}))
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(5):
        rng.shuffle(examples)
        for batch in spacy.util.minibatch(examples, 16):
            nlp.update(batch, sgd=optimizer)
    nlp.to_disk(folder)
    return Path(folder)


def trained(base):
    """Return the folder of a model, which the first that asks for it trains, of all processes that
    share the folder `base`. Another text of this file, or spaCy, is another model."""
    code = Path(__file__).read_bytes() + spacy.__version__.encode()
    folder = base / f"names-{hashlib.sha256(code).hexdigest()[:16]}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            draft = folder.with_suffix(".draft")
            draft.mkdir(exist_ok=True)
            train(draft / "tiny")
            draft.rename(folder)
    return folder / "tiny"


def configure(folder, model, more=""):
    """Write the file that names the model, and return its path."""
    file = Path(folder) / "names.yaml"
    file.write_text(f"models:\n  - {{language: en, model: {model}}}\n{more}", encoding="utf-8")
    return file


class Process:
    """The process of the models, as `manage.py ner` runs it."""

    def __init__(self, folder, file):
        self.socket = Path(folder) / "ner.sock"
        self.environ = {
            "PATH": os.environ["PATH"],
            "GATEHOUSE_NER": str(file),
            "GATEHOUSE_NER_SOCKET": str(self.socket),
        }
        self.child = None

    def start(self):
        """Start it and wait until it answers."""
        self.child = subprocess.Popen(
            [sys.executable, "manage.py", "ner"],
            cwd=ROOT,
            env=self.environ,
            stdout=subprocess.DEVNULL,
        )
        eventually(self.answers, 60)
        return self

    def answers(self):
        """Return what the process says of itself, None while it is not there."""
        assert self.child.poll() is None, "the process of the models ended"
        with contextlib.suppress(NoAnswer):
            return hello(self.socket, 5)

    def kill(self):
        """SIGKILL it, as the kernel does when memory is short."""
        self.child.kill()
        self.child.wait()

    def stop(self):
        """End it in order, and return its code."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        return self.child.wait(30)
