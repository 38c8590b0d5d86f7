"""Writes of texts that come from elsewhere: they become drafts, and are in force nowhere."""

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.services import Change, note
from policies.identity import joined
from policies.models import Draft, Policy
from policies.pdp.language import parse_document
from policies.scopes import require_over
from policies.vocabulary import known_kinds
from tenants.changes import change_alone
from tenants.permissions import require


@transaction.atomic
def policy_import(*, actor: Actor, source: str, reason: str = "") -> Draft:
    """Make a draft of a text, of the policy that it names; a policy that is not there is made.

    Raises PolicyError where the text is wrong.
    """
    change_alone()
    require(actor, "policy.import", None)
    document = parse_document(source, known_kinds())
    policy = Policy.objects.filter(name=document.name).first()
    is_new = policy is None
    if policy is None:
        policy = Policy(name=document.name)
        policy.full_clean()
        policy.save(force_insert=True)
    else:
        require_over(actor, "policy.import", policy)
    if Draft.objects.filter(policy=policy).exists():
        raise ValidationError({"source": f"{policy.name} has a draft already: edit or discard it"})
    draft = Draft(
        policy=policy,
        base=policy.active,
        source=source,
        author=actor.name,
        authors=joined([], actor),
    )
    draft.full_clean()
    draft.save(force_insert=True)
    after = {"policy": policy.name, "is_new": is_new, "hash": document.hash}
    note(Change(actor, "policy.import", reason=reason), draft, before=None, after=after)
    return draft
