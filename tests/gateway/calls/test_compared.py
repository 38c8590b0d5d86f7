"""What a call's records keep of a version that did not hold."""

from gateway.calls.compared import Compared, compared

REQUEST = {
    "name": "house to 2",
    "percent": 0,
    "served": "active",
    "active": "a" * 64,
    "candidate": "b" * 64,
    "change": "newly_denied",
    "other_policies": ["house@2"],
    "other": {
        "effect": "deny",
        "code": "policy_denied",
        "determining": [["tenant", "house", "no-cards"]],
        "obligations": [],
    },
}
ANSWER = {**REQUEST, "change": "same"} | {"other": {}}


def test_both_phases_are_told_in_their_order():
    request, answer = compared({"rollout": REQUEST}, {"rollout": ANSWER})
    assert request == Compared(
        "request", "house to 2", 0, "active", "newly_denied", ("house@2",), "deny",
        ("house/no-cards",),
    )  # fmt: skip
    assert request.said == "denies what the active version permits"
    assert (answer.phase, answer.said, answer.rules) == ("answer", "decides the same", ())


def test_a_refused_call_has_one_record_and_is_told_once():
    refused = {"rollout": REQUEST}
    assert len(compared(refused, refused)) == 1


def test_records_of_before_tell_of_nothing():
    assert compared({}, {"decision": {}}) == ()
