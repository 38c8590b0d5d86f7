"""What is wrong with a body that a transformation took, and with a transformation. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

FAULTS_MAX = 50


class Fault(NamedTuple):
    """One fault: the JSON pointer of its place ("" for the whole), and what is wrong there."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Faulty(Exception):
    """Something is not what it should be. `faults` is never empty."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


class UnfitBody(Faulty):
    """A body is not what its app or route takes."""


class UnfitTransformation(Faulty):
    """A declared transformation cannot be used."""
