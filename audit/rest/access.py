"""What an endpoint takes of whoever calls it, and who that is."""

from dataclasses import dataclass

from audit.actor import Actor


@dataclass(frozen=True, slots=True)
class Access:
    """What an endpoint takes: an action of the matrix, and the scope that a token must have.

    Where it depends on the object which action it takes, `others` open the endpoint as well, and
    the service decides.
    """

    action: str
    scope: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls the management API; `scopes` is None for a person in the console's session."""

    actor: Actor
    scopes: frozenset[str] | None = None
