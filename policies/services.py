"""Every write to policies. A version is frozen for ever; what changes is which one is active."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from audit.actor import Actor
from audit.services import Change, alter, delete, insert, note
from policies.models import Attachment, Policy, PolicyVersion
from policies.pdp.document import Document
from policies.pdp.language import parse_document
from policies.pdp.problem import PolicyError, Problem
from policies.pdp.testing import CaseResult, run_cases
from policies.selectors import attachments, effective_everywhere
from tenants.changes import change_alone, platform_change, tenant_change
from tenants.models import App, Tenant
from tenants.permissions import require
from tenants.revisions import platform_changed, tenant_changed


@transaction.atomic
def policy_create(*, actor: Actor, name: str, reason: str = "") -> Policy:
    """Create a policy without a text: one is published, and attached, before it holds."""
    require(actor, "policy.create", None)
    policy = Policy(name=name)
    insert(Change(actor, "policy.create", reason=reason), policy)
    return policy


@transaction.atomic
def policy_publish(
    *, actor: Actor, policy: Policy, source: str, reason: str = "", fits_later: bool = False
) -> PolicyVersion:
    """Freeze a text as a version and make it the active one, wherever the policy is attached.

    Raises PolicyError where the text is wrong, one of its own tests fails, or it clashes with what
    it meets there (`fits_later`: the caller changes more, then compiles). A text that says the same
    as an earlier version makes that version active again, under its old number.
    """
    change_alone()
    policy = Policy.objects.get(pk=policy.pk)
    scopes = _scopes(policy)
    for tenant in scopes or [None]:
        require(actor, "policy.publish" if scopes else "policy.create", tenant)
    document = _checked(policy, source)
    active = policy.active
    if active is not None and active.hash == document.hash:
        return active
    version = _version(policy, document, source, actor)
    change = Change(actor, "policy.publish", reason=reason)
    before = {"active": None if active is None else active.number}
    policy.active = version
    policy.save(update_fields=["active"])
    note(change, policy, before=before, after={"active": version.number, "hash": version.hash})
    _heard(scopes, fits_later=fits_later)
    return version


@transaction.atomic
def policy_retire(*, actor: Actor, policy: Policy, reason: str = "") -> bool:
    """Take a policy that is attached nowhere out of use; its versions stay as evidence."""
    change = platform_change(actor, "policy.retire", reason)
    policy = Policy.objects.get(pk=policy.pk)
    if attachments().filter(policy=policy).exists():
        raise ValidationError({"policy": f"{policy.name} is still attached"})
    return alter(change, policy, {"active": None})


@transaction.atomic
def policy_attach(
    *,
    actor: Actor,
    policy: Policy,
    tenant: Tenant | None = None,
    app: App | None = None,
    reason: str = "",
    fits_later: bool = False,
) -> Attachment:
    """Let a policy hold for the platform (no tenant), for a tenant, or for one app of it."""
    change = _change(actor, "policy.attach", tenant, reason)
    policy = Policy.objects.get(pk=policy.pk)
    if policy.active is None:
        raise ValidationError({"policy": f"{policy.name} has no published version"})
    if app is not None and (tenant is None or app.tenant_id != tenant.id):
        raise ValidationError({"app": "the app belongs to another tenant"})
    attachment = Attachment(policy=policy, tenant=tenant, app=app)
    insert(change, attachment)
    _heard([tenant], fits_later=fits_later)
    return attachment


@transaction.atomic
def policy_detach(*, actor: Actor, attachment: Attachment, reason: str = "") -> None:
    """End a policy's hold on the platform, a tenant or an app; where none is left, calls fail."""
    change = _change(actor, "policy.detach", attachment.tenant, reason)
    delete(change, attachment)
    _heard([attachment.tenant], fits_later=True)  # fewer policies never clash


def _checked(policy: Policy, source: str) -> Document:
    """Return the document of a text that may be published: sound, and its own tests pass."""
    document = parse_document(source)
    if document.name != policy.name:
        raise ValidationError(
            {"source": f"the text says policy: {document.name}, this is the policy {policy.name}"}
        )
    failed = [result for result in run_cases(document) if not result.passed]
    if failed:
        raise PolicyError([_failure(result) for result in failed], source)
    return document


def _failure(result: CaseResult) -> Problem:
    message = f'the test "{result.name}" fails: expected {result.expected}, got {result.got}'
    return Problem(result.line, 1, message)


def _version(policy: Policy, document: Document, source: str, actor: Actor) -> PolicyVersion:
    """Return the version with this text, new where there is none."""
    known = PolicyVersion.objects.filter(policy=policy, hash=document.hash).first()
    if known is not None:
        return known
    highest = PolicyVersion.objects.filter(policy=policy).aggregate(n=Max("number"))["n"] or 0
    version = PolicyVersion(
        policy=policy,
        number=highest + 1,
        source=source,
        canonical=document.canonical().decode(),
        hash=document.hash,
        author=actor.name,
    )
    version.full_clean()
    version.save(force_insert=True)
    return version


def _scopes(policy: Policy) -> list[Tenant | None]:
    """Return where a policy is attached: tenants, and None for the platform."""
    held = attachments().filter(policy=policy).select_related("tenant")
    return list({attachment.tenant_id: attachment.tenant for attachment in held}.values())


def _change(actor: Actor, action: str, tenant: Tenant | None, reason: str) -> Change:
    if tenant is None:
        return platform_change(actor, action, reason)
    return tenant_change(actor, action, tenant, reason)


def _heard(scopes: list[Tenant | None], *, fits_later: bool) -> None:
    """Let the workers of all tenants concerned hear, once the policies still fit together."""
    is_platform = None in scopes
    active = Tenant.objects.exclude(state=Tenant.State.REMOVED).order_by("id")
    concerned = list(active) if is_platform else [scope for scope in scopes if scope is not None]
    for tenant in () if fits_later else concerned:
        effective_everywhere(tenant)
    if is_platform:
        platform_changed()
    else:
        for tenant in sorted(concerned, key=lambda tenant: tenant.id):
            tenant_changed(tenant.id)
