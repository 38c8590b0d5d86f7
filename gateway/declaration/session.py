"""One run over a file: who applies it, what it may name, what has changed so far."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from django.core.exceptions import ValidationError

from audit.actor import Actor
from gateway.declaration.faults import DeclarationError, Fault, fault
from gateway.declaration.values import Spot
from policies.pdp.nodes import Place
from policies.pdp.problem import PolicyError

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
"""A value as JSON and the file write it."""

Values = dict[str, Plain]
_SAME: Mapping[str, str] = MappingProxyType({})
Op = Literal["create", "update", "remove"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """One thing that the file changes; `fields` has old and new value of each key that differs."""

    op: Op
    kind: str
    name: str
    fields: Mapping[str, Mapping[str, Plain]]


@dataclass(slots=True)
class Session:
    """Applies one file. `prune`: what the file does not name goes."""

    actor: Actor
    file: str
    prune: bool
    changes: list[FileChange] = field(default_factory=list)

    def put(self, kind: str, name: str, before: Values, after: Values) -> None:
        """Note what became of something that the file names; no `before`: it is new."""
        if not before:
            self._note("create", kind, name, before, after)
        elif any(before.get(key) != after.get(key) for key in {**before, **after}):
            self._note("update", kind, name, before, after)

    def removed(self, kind: str, name: str, before: Values) -> None:
        """Note that something is gone."""
        self._note("remove", kind, name, before, {})

    def fail(self, at: Place, message: str, hint: str = "") -> DeclarationError:
        """Return the error that says `message` of a place in the file."""
        return DeclarationError([fault(self.file, at, message, hint)])

    @contextmanager
    def at(self, spot: Spot, keys: Mapping[str, str] = _SAME) -> Iterator[None]:
        """Give what a service refuses a place: that of the key which the refused field has here."""
        try:
            yield
        except ValidationError as error:
            raise DeclarationError(self._faults(error, spot, keys)) from None
        except PolicyError as error:
            text = "; ".join(problem.message for problem in error.problems)
            raise self.fail(spot.at, text) from None

    def _note(self, op: Op, kind: str, name: str, before: Values, after: Values) -> None:
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        fields = {key: {"from": before.get(key), "to": after.get(key)} for key in keys}
        self.changes.append(FileChange(op, kind, name, fields))

    def _faults(
        self, error: ValidationError, spot: Spot, keys: Mapping[str, str]
    ) -> Iterator[Fault]:
        if not hasattr(error, "error_dict"):
            yield fault(self.file, spot.at, "; ".join(error.messages))
            return
        for name, messages in error.message_dict.items():
            yield fault(self.file, spot.of(keys.get(name, name)), "; ".join(messages))
