"""Bringing about what a file says: all of it in one transaction, or nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from gateway.declaration import models, policies, providers, services, tenants
from gateway.declaration.document import Declaration, Names, read
from gateway.declaration.faults import DeclarationError, fault
from gateway.declaration.session import FileChange, Session
from gateway.models import Provider, Route, Service
from gateway.publish import CannotCompileError, compile_bundle, publish
from policies.models import Policy
from policies.pdp.nodes import Place
from policies.pdp.problem import PolicyError
from tenants.changes import change_alone
from tenants.models import Tenant

_START: Place = (1, 1)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a file changed, or would have."""

    changes: tuple[FileChange, ...]
    applied: bool


def apply_file(
    path: Path,
    environ: Mapping[str, str],
    *,
    actor: Actor,
    dry_run: bool = False,
    prune: bool = False,
) -> Applied:
    """Apply a file and publish its tenants; a dry run does the same and then undoes it.

    Raises DeclarationError, and nothing has changed then; OSError where the file cannot be read.
    """
    with transaction.atomic():
        changes, changed = bring_about(path, environ, actor=actor, prune=prune)
        transaction.set_rollback(dry_run)
    if not dry_run:
        for tenant in changed:
            publish(tenant.id)
    return Applied(changes, applied=not dry_run)


def bring_about(
    path: Path, environ: Mapping[str, str], *, actor: Actor, prune: bool
) -> tuple[tuple[FileChange, ...], tuple[Tenant, ...]]:
    """Change what differs from the file, within the caller's transaction.

    Returns the changes, and those tenants of the file whose bundles are to be published after the
    commit. The other tenants that hear of it are published by the task that the commit sends.
    """
    change_alone()
    former = {one.id: one for one in tenants.stored()}
    session = Session(actor, str(path), prune)
    declaration = read(path, environ, Names() if prune else _stored_names())
    _apply(session, declaration)
    policies.check_names(session, declaration.policies)
    places = {one.name.text: one.spot.at for one in declaration.tenants}
    changed = [one for one in tenants.stored() if _differs(one, former.get(one.id))]
    own = [tenant for tenant in changed if tenant.name in places]
    _check_compiles(session, places, own)
    if _may_break_others(session):
        others = [one for one in changed if one.name not in places and _was_good(former[one.id])]
        _check_compiles(session, places, others)
    return tuple(session.changes), tuple(own)


def _stored_names() -> Names:
    return Names(
        frozenset(Provider.objects.values_list("name", flat=True)),
        frozenset(Route.objects.values_list("name", flat=True)),
        frozenset(Policy.objects.exclude(active=None).values_list("name", flat=True)),
        frozenset(Service.objects.values_list("name", flat=True)),
    )


def _apply(session: Session, declaration: Declaration) -> None:
    for provider in declaration.providers:
        providers.apply(session, provider)
    for policy in declaration.policies:
        policies.apply(session, policy)
    models.apply_all(session, declaration.models)
    for service in declaration.services:
        services.apply(session, service)
    if session.prune or declaration.platform_policies is not None:
        names = declaration.platform_policies or ()
        before, after = policies.attach(session, names, None, None)
        session.put("platform", "platform", before, after)
    if session.prune:
        tenants.prune(session, {one.name.text for one in declaration.tenants})
    for tenant in declaration.tenants:
        tenants.apply(session, tenant)
    if session.prune:
        policies.prune(session, {one.name for one in declaration.policies})
        models.prune(session, {one.name.text for one in declaration.models})
        services.prune(session, {one.name.text for one in declaration.services})
        providers.prune(session, {one.name.text for one in declaration.providers})


def _differs(tenant: Tenant, former: Tenant | None) -> bool:
    return former is None or former.revision != tenant.revision


def _was_good(former: Tenant) -> bool:
    """Return whether a tenant was published as it stood; one that was not blocks no file."""
    return former.revision == former.published_revision


def _may_break_others(session: Session) -> bool:
    """Return whether a tenant that the file does not name might not compile any more."""
    return any(
        change.kind in ("policy", "platform") or (change.op, change.kind) == ("remove", "model")
        for change in session.changes
    )


def _check_compiles(
    session: Session, places: Mapping[str, Place], changed: Iterable[Tenant]
) -> None:
    """Refuse the file where a tenant could not be published any more."""
    for tenant in changed:
        try:
            compile_bundle(tenant, timezone.now())
        except (CannotCompileError, PolicyError) as error:
            at = places.get(tenant.name, _START)
            message = f"the tenant {tenant.name} does not compile: {error}"
            raise DeclarationError([fault(session.file, at, message)]) from None
