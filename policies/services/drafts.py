"""Writes to drafts: one text for each policy, on which several people may work in turn."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.services import Change, alter, delete, insert
from policies.identity import joined
from policies.inforce import void
from policies.models import Draft, Policy
from policies.pdp.yaml_text import BYTES_MAX
from policies.scopes import require_over
from tenants.changes import change_alone


class DraftChangedError(ValidationError):
    """Somebody else has edited the draft since it was read: `current` is what it says now."""

    def __init__(self, current: Draft) -> None:
        super().__init__(
            {"source": f"{current.author} has edited the draft since you have read it"}
        )
        self.current = current


@transaction.atomic
def draft_create(*, actor: Actor, policy: Policy, source: str = "", reason: str = "") -> Draft:
    """Begin a draft: with a text, or that of the active version. It may still be wrong."""
    change_alone()
    policy = Policy.objects.select_related("active").get(pk=policy.pk)
    require_over(actor, "draft.create", policy)
    if Draft.objects.filter(policy=policy).exists():
        raise ValidationError({"policy": f"{policy.name} has a draft already: go on with that one"})
    active = policy.active
    draft = Draft(
        policy=policy,
        base=active,
        source=source or (active.source if active else f"policy: {policy.name}\n"),
        author=actor.name,
        authors=joined([], actor),
    )
    _check_size(draft.source)
    insert(Change(actor, "draft.create", reason=reason), draft)
    return draft


@transaction.atomic
def draft_update(
    *,
    actor: Actor,
    draft: Draft,
    revision: int,
    source: str,
    rebase: bool = False,
    reason: str = "",
) -> bool:
    """Change a draft that is as it was read; False where nothing differs.

    Whatever was asked or said of another text is void then. `rebase` takes the active version for
    the one that the draft begins from. Raises DraftChangedError.
    """
    change_alone()
    stored = Draft.objects.select_related("policy").get(pk=draft.pk)
    require_over(actor, "draft.update", stored.policy)
    if stored.revision != revision:
        raise DraftChangedError(stored)
    _check_size(source)
    base_id = stored.policy.active_id if rebase else stored.base_id
    if (stored.source, stored.base_id) == (source, base_id):
        return False
    voided = void(stored.policy, but="" if rebase else source)
    values = {
        "source": source,
        "base_id": base_id,
        "revision": revision + 1,
        "author": actor.name,
        "authors": joined(stored.authors, actor),
        "updated_at": timezone.now(),
    }
    change = Change(actor, "draft.update", reason=reason)
    return alter(change, draft, values, besides={"reviews_voided": voided} if voided else {})


@transaction.atomic
def draft_discard(*, actor: Actor, draft: Draft, reason: str = "") -> None:
    """Give a draft up; what was asked of it is void."""
    change_alone()
    policy = Policy.objects.get(pk=draft.policy_id)
    require_over(actor, "draft.discard", policy)
    void(policy)
    delete(Change(actor, "draft.discard", reason=reason), draft)


def as_read(draft: Draft) -> Draft:
    """Return a draft as it is stored, which is as it was read; else raise DraftChangedError."""
    stored = Draft.objects.select_related("policy__active").filter(pk=draft.pk).first()
    if stored is None:
        raise ValidationError({"source": "the draft is gone: it was published or discarded"})
    if (stored.revision, stored.source) != (draft.revision, draft.source):
        raise DraftChangedError(stored)
    return stored


def _check_size(source: str) -> None:
    if len(source.encode()) > BYTES_MAX:
        raise ValidationError({"source": f"a policy has at most {BYTES_MAX} bytes"})
