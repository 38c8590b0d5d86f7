"""Who changes the control plane: a person, an application, a command or a task of ours. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ActorKind = Literal["user", "application", "command", "task"]

EVIDENCE_READERS = frozenset({"owner", "admin", "auditor"})
"""The roles that may read a tenant's events and records (tenants/permissions.py builds on this)."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where: `source` is an address, a host name or empty.

    `memberships` maps a tenant's id (as text) to the roles of a person or an application in it.
    `is_superuser` marks the owner of the installation, and an application of the platform. Commands
    and tasks have neither: they run with the rights of whoever operates the machine. `maker` is the
    id of the person who made an application.
    """

    kind: ActorKind
    id: str
    name: str
    source: str = ""
    memberships: Mapping[str, frozenset[str]] = field(default_factory=dict)
    is_superuser: bool = False
    maker: str = ""

    @property
    def is_operator(self) -> bool:
        """Whether this is a command or a task, which no role bounds."""
        return self.kind in ("command", "task")

    def roles_in(self, tenant_id: str) -> frozenset[str]:
        """Return the actor's roles in one tenant."""
        return self.memberships.get(tenant_id, frozenset())


def command(name: str, source: str = "") -> Actor:
    """Return the actor for a management command."""
    return Actor("command", name, name, source)


def task(name: str) -> Actor:
    """Return the actor for a background task."""
    return Actor("task", name, name)
