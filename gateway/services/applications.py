"""Writes to the applications that may ask for tokens of the management API."""

from collections.abc import Collection, Sequence

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import get_access_token_model, get_grant_model, get_refresh_token_model

from audit.actor import Actor
from audit.services import Change, delete, insert, note
from gateway.models import OAuthApplication
from gateway.scopes import SCOPES
from tenants.changes import platform_change, tenant_change
from tenants.models import Tenant, User
from tenants.permissions import exceeds

CLIENT_CREDENTIALS = OAuthApplication.GRANT_CLIENT_CREDENTIALS
AUTHORIZATION_CODE = OAuthApplication.GRANT_AUTHORIZATION_CODE
GRANTS = (CLIENT_CREDENTIALS, AUTHORIZATION_CODE)
URIS_MAX = 20
SECRET_PREFIX = "gths_"  # noqa: S105  (what a secret begins with, for those who look for leaks)


@transaction.atomic
def oauth_application_create(  # noqa: PLR0913  (keyword-only: what an application is)
    *,
    actor: Actor,
    tenant: Tenant | None,
    name: str,
    grant: str,
    scopes: Collection[str],
    roles: Sequence[str] = (),
    redirect_uris: Sequence[str] = (),
    is_public: bool = False,
    allowed_scopes: Collection[str] | None = None,
    reason: str = "",
) -> tuple[OAuthApplication, str]:
    """Make an application; return it with its secret, which is shown once (a public one has none).

    It can do no more than its maker: `roles` must give no action that the actor lacks, and
    `allowed_scopes` are those of the token that the actor came with, if any.
    """
    change = _change(actor, "oauth_application.create", tenant, reason)
    application = OAuthApplication(
        tenant=tenant,
        name=name,
        user=_person(actor),
        roles=list(roles),
        scopes=sorted(scopes),
        redirect_uris=" ".join(redirect_uris),
        authorization_grant_type=grant,
        client_type=(
            OAuthApplication.CLIENT_PUBLIC if is_public else OAuthApplication.CLIENT_CONFIDENTIAL
        ),
    )
    _check(application)
    _check_reach(actor, application, allowed_scopes)
    secret = "" if is_public else f"{SECRET_PREFIX}{generate_client_secret()}"
    # A public client proves nothing: what is stored in place of its secret is known to nobody.
    application.client_secret = secret or generate_client_secret()
    insert(change, application)
    return application, secret


@transaction.atomic
def oauth_application_rotate(
    *, actor: Actor, application: OAuthApplication, reason: str = ""
) -> str:
    """Give an application a new secret, which is returned once; the old one is good no more.

    Whoever has the secret can act as the application: from then on that is who answers for it.
    """
    change = _change(actor, "oauth_application.rotate", application.tenant, reason)
    application = OAuthApplication.objects.select_for_update(no_key=True).get(pk=application.pk)
    if application.client_type == OAuthApplication.CLIENT_PUBLIC:
        raise ValidationError({"application": "a public application has no secret"})
    secret = f"{SECRET_PREFIX}{generate_client_secret()}"
    application.client_secret = secret
    application.user = _person(actor) or application.user
    application.save(update_fields=["client_secret", "user", "updated"])
    _tokens_end(application)
    note(change, application, before=None, after={"tokens": "ended"})
    return secret


@transaction.atomic
def oauth_application_remove(
    *, actor: Actor, application: OAuthApplication, reason: str = ""
) -> None:
    """Delete an application: every token of it is good no more."""
    change = _change(actor, "oauth_application.remove", application.tenant, reason)
    delete(change, application)


def _change(actor: Actor, action: str, tenant: Tenant | None, reason: str) -> Change:
    if tenant is None:
        return platform_change(actor, action, reason)
    return tenant_change(actor, action, tenant, reason)


def _person(actor: Actor) -> User | None:
    """Return the person who acts, or who answers for the application that does."""
    found = actor.id if actor.kind == "user" else actor.maker
    return User.objects.filter(pk=found).first() if found else None


def _check(application: OAuthApplication) -> None:
    grant, uris = application.authorization_grant_type, application.redirect_uris.split()
    is_public = application.client_type == OAuthApplication.CLIENT_PUBLIC
    faults = {
        "grant": grant not in GRANTS and f"a grant is one of {', '.join(GRANTS)}",
        "scopes": not application.scopes and "an application without a scope can do nothing",
        "roles": _roles_fault(application),
        "redirect_uris": len(uris) > URIS_MAX and f"there are at most {URIS_MAX}",
        "is_public": is_public
        and grant == CLIENT_CREDENTIALS
        and "whoever acts as itself proves itself by a secret",
    }
    unknown = sorted(set(application.scopes) - set(SCOPES))
    if unknown:
        faults["scopes"] = f"unknown: {', '.join(unknown)}"
    if bool(uris) != (grant == AUTHORIZATION_CODE):
        faults["redirect_uris"] = "they belong to the authorization code, which needs at least one"
    found = {name: fault for name, fault in faults.items() if fault}
    if found:
        raise ValidationError(found)


def _roles_fault(application: OAuthApplication) -> str:
    acts_in_tenant = (
        application.tenant is not None
        and application.authorization_grant_type == CLIENT_CREDENTIALS
    )
    if acts_in_tenant and not application.roles:
        return "what acts as itself in a tenant needs a role in it"
    if application.roles and not acts_in_tenant:
        return "roles are for what acts as itself in a tenant"
    return ""


def _check_reach(
    actor: Actor, application: OAuthApplication, allowed_scopes: Collection[str] | None
) -> None:
    if application.tenant is not None:
        beyond = exceeds(actor, application.roles, application.tenant)
        if beyond:
            raise PermissionDenied(f"{actor.name} may not give what it lacks: {', '.join(beyond)}")
    if allowed_scopes is not None and not set(application.scopes) <= set(allowed_scopes):
        lacking = sorted(set(application.scopes) - set(allowed_scopes))
        raise PermissionDenied(f"{actor.name} may not give scopes it lacks: {', '.join(lacking)}")


def _tokens_end(application: OAuthApplication) -> None:
    for model in (get_grant_model(), get_refresh_token_model(), get_access_token_model()):
        model.objects.filter(application=application).delete()
