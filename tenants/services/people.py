"""Writes to people and their roles."""

import zlib

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction

from audit.actor import Actor
from audit.services import Change, alter, delete, insert
from tenants.changes import tenant_change
from tenants.models import Membership, Role, Tenant, User
from tenants.permissions import require

_FIRST_OWNER_LOCK = zlib.crc32(b"gatehouse: first owner")


@transaction.atomic
def user_create(
    *, actor: Actor, email: str, password: str, name: str = "", reason: str = ""
) -> User:
    """Create a person who may sign in; what they may do comes with their memberships."""
    require(actor, "user.create", None)
    return _create(Change(actor, "user.create", reason=reason), email, password, name)


@transaction.atomic
def owner_create(
    *, actor: Actor, email: str, password: str, name: str = "", reason: str = ""
) -> User:
    """Create the first owner of the installation; raise PermissionDenied where one exists.

    The set-up link stands for the permission: whoever could read it started the server.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_FIRST_OWNER_LOCK])
    if User.objects.filter(is_superuser=True).exists():
        raise PermissionDenied("the installation has an owner already")
    return _create(
        Change(actor, "owner.create", reason=reason), email, password, name, is_superuser=True
    )


@transaction.atomic
def user_remove(*, actor: Actor, user: User, reason: str = "") -> bool:
    """Let a person sign in no more; the row stays, because events name it."""
    require(actor, "user.remove", None)
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    if user.is_superuser and not others.exists():
        raise ValidationError({"user": "the last owner of the installation cannot be removed"})
    return alter(Change(actor, "user.remove", reason=reason), user, {"is_active": False})


@transaction.atomic
def membership_grant(
    *, actor: Actor, tenant: Tenant, user: User, role: str, reason: str = ""
) -> Membership:
    """Give a person a role in a tenant; only an owner makes owners."""
    change = tenant_change(actor, "membership.grant", tenant, reason)
    if role == Role.OWNER:
        require(actor, "membership.grant_owner", tenant)
    membership = Membership(tenant=tenant, user=user, role=role)
    insert(change, membership)
    return membership


@transaction.atomic
def membership_revoke(*, actor: Actor, membership: Membership, reason: str = "") -> None:
    """Take a role from a person; the last owner of a tenant keeps it."""
    change = tenant_change(actor, "membership.revoke", membership.tenant, reason)
    if membership.role == Role.OWNER:
        require(actor, "membership.revoke_owner", membership.tenant)
        owners = Membership.objects.filter(tenant=membership.tenant, role=Role.OWNER)
        if not owners.exclude(pk=membership.pk).filter(user__is_active=True).exists():
            raise ValidationError({"role": "the last owner of a tenant cannot be removed"})
    delete(change, membership)


def _create(
    change: Change, email: str, password: str, name: str, *, is_superuser: bool = False
) -> User:
    user = User(email=email.strip().lower(), name=name, is_superuser=is_superuser)
    validate_password(password, user)
    user.set_password(password)
    insert(change, user)
    return user
