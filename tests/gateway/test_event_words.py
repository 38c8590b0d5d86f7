"""What an audit event says to a reader."""

from gateway.event_words import DONE, PAST, did, sentence
from gateway.oauth import events
from tenants.permissions import ACTIONS


def test_every_change_has_words():
    noted = {events.GIVE, events.REFUSE, events.ISSUE, events.REVOKE, events.REUSE}
    assert noted <= set(DONE)
    changes = {action for action in ACTIONS if not action.endswith((".read", "_owner"))}
    assert {action.rpartition(".")[2] for action in changes - set(DONE)} <= set(PAST)


def test_a_sentence_says_who_did_what():
    assert sentence("ann", "rate_limit.create", "rate_limit", "rpm") == (
        "ann created the rate limit rpm."
    )
    assert sentence("ci", "oauth_token.issue", "oauth_application", "ci") == (
        "ci was issued a token (oauth application ci)."
    )
    assert did("tenant.update") == "changed"
    assert did("owl.hoot") == "owl.hoot"
