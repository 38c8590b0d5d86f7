"""Our scanner beside the stock engine: the same texts, and what each finds in them."""

import functools

from policies.detectors.packs import COUNTRIES
from tests.policies.detectors.adversary import Adversary
from tests.policies.detectors.stock import stock_engine, stock_entities, stock_recognizers

EVERY = tuple(sorted(COUNTRIES))
# What random texts hold too seldom.
_RARE = (
    "passport A\u01311234567",
    "voter AB\u01301234567",
    "ABCP\u01301234F",
    "passport number of the person who was there is 536228726",
    "your ssn is a secret and it is this one 536228726",
    "mail \u0436\u0443\u043a@example.com or user@b\u00fccher.de",
)


@functools.cache
def stock(countries, regions):
    """Return the stock recognizers, and the stock engine over them."""
    made = stock_recognizers(countries, regions)
    return made, stock_engine(made)


def adversary(seed, made):
    """Return a maker of texts for stock recognizers."""
    known = [
        ([pattern.regex for pattern in getattr(each, "patterns", [])], each.context or [])
        for each in made
    ]
    return Adversary(seed, known)


def found(scanner, text):
    """Return what our scanner finds, or the type of its error."""
    try:
        return sorted(map(tuple, scanner.find(text)))
    except Exception as error:  # noqa: BLE001 - what fails in one must fail in the other
        return type(error)


def expected(engine, text):
    """Return what the stock engine finds, or the type of its error."""
    try:
        return stock_entities(engine, text)
    except Exception as error:  # noqa: BLE001
        return type(error)


@functools.cache
def sample(count):
    """Return texts, and what the stock engine finds in them, to try broken scanners on."""
    made, engine = stock(EVERY, ("DE", "US"))
    maker = adversary(5, made)
    texts = [*_RARE, *(maker.text() for _ in range(count))]
    return [(text, expected(engine, text)) for text in texts]


def differs(scanner, count=400):
    """Tell whether a scanner finds something else in one of the texts of the sample."""
    return any(found(scanner, text) != wanted for text, wanted in sample(count))
