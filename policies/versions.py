"""A text made fit to be in force: sound, tested, and frozen as a version."""

from django.core.exceptions import ValidationError
from django.db.models import Max

from audit.actor import Actor
from policies.models import Policy, PolicyVersion
from policies.pdp.analysis.names import KnownNames, unknown_names
from policies.pdp.document import Document
from policies.pdp.language import load_canonical, parse_document
from policies.pdp.problem import PolicyError, Problem
from policies.pdp.testing import CaseResult, run_cases
from policies.vocabulary import known_kinds, names_for


def checked(policy: Policy, source: str, names: KnownNames | None) -> Document:
    """Return the document of a text that may be published: sound, and its own tests pass.

    `names` are what it may name outside of itself; None: that is looked at later.
    """
    document = parse_document(source, known_kinds())
    if document.name != policy.name:
        raise ValidationError(
            {"source": f"the text says policy: {document.name}, this is the policy {policy.name}"}
        )
    if names is not None:
        check_names(document, names)
    failed = [result for result in run_cases(document) if not result.passed]
    if failed:
        raise PolicyError([_failure(result) for result in failed], source)
    return document


def check_names(document: Document, names: KnownNames) -> None:
    """Raise PolicyError where a text names what is not there."""
    strangers = unknown_names(document, names)
    if strangers:
        raise PolicyError(strangers, document.source)


def check_version(version: PolicyVersion, actor: Actor) -> None:
    """Raise PolicyError where a version names what is not there any more, as the actor sees it."""
    check_names(load_canonical(version.canonical.encode()), names_for(actor))


def _failure(result: CaseResult) -> Problem:
    message = f'the test "{result.name}" fails: expected {result.expected}, got {result.got}'
    return Problem(result.line, 1, message)


def frozen(policy: Policy, document: Document, source: str, author: str) -> PolicyVersion:
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
        author=author,
    )
    version.full_clean()
    version.save(force_insert=True)
    return version
