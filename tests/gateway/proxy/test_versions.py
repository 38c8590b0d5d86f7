"""What a bundle makes of versions, a candidate beside them, and exemptions."""

from dataclasses import replace

import pytest

from gateway.bundle import App, BundleError, Candidate, Exempting, PolicyText
from gateway.proxy.tenant import load
from policies.detectors.custom import CustomDetector
from policies.pdp.language import parse_document
from policies.pdp.request import DEFAULTS, SLOTS
from policies.pdp.rollout import bucket
from tests.gateway.test_bundle import BUNDLE

BASELINE = "policy: baseline\ndefault: permit\nrules: []\n"
HOUSE = """\
policy: house
default: permit
rules:
  - {id: no-streams, when: call.stream, deny: {message: "No streams."}}
"""
STRICT = """\
policy: house
default: permit
rules:
  - {id: no-streams, when: call.stream, deny: {message: "No streams."}}
  - {id: no-links, phase: answer, when: size(answer.links) > 0, deny: {message: "No links."}}
  - {id: no-cards, when: pii.count > 0, deny: {message: "No cards."}}
"""
AT_S = 1_800_000_000
MASTER = bytes(32)


def text(source, version=1):
    document = parse_document(source)
    return PolicyText(document.name, version, document.hash, document.canonical().decode())


def bundle(exemptions=(), candidates=()):
    return replace(
        BUNDLE,
        apps={
            "a": App("a", "helpdesk", "", active=True, models=(), policies=("house",)),
            "b": App("b", "other", "", active=True, models=(), policies=("house",)),
            "c": App("c", "bare", "", active=True, models=(), policies=()),
        },
        routes={},
        policies={"baseline": text(BASELINE), "house": text(HOUSE)},
        platform_policies=("baseline",),
        tenant_policies=(),
        exemptions=tuple(exemptions),
        candidates=tuple(candidates),
    )


def slots(app="helpdesk", key="k", **values):
    found = list(DEFAULTS)
    found[SLOTS["app.name"]], found[SLOTS["key.id"]] = app, key
    for name, value in values.items():
        found[SLOTS[name.replace("__", ".")]] = value
    return found


def exemption(**terms):
    wanted = {
        "name": "e",
        "rules": ("house/no-streams",),
        "expires_s": AT_S,
        "apps": (),
        "keys": (),
    }
    return Exempting(**(wanted | terms))


def effect(loaded, at_s, **facts):
    return loaded.decide("request", slots(**facts), frozenset(), at_s)[0].effect


def test_an_exemption_holds_until_its_instant_and_no_longer():
    app = load(bundle([exemption()]), (MASTER,)).apps["a"]
    assert effect(app, AT_S - 1, call__stream=True) == "permit"
    assert effect(app, AT_S, call__stream=True) == "deny"
    decision, _ = app.decide("request", slots(call__stream=True), frozenset(), AT_S - 1)
    assert decision.exemptions == ("e",)


def test_an_exemption_is_with_the_apps_that_it_can_concern():
    apps = load(bundle([exemption(apps=("helpdesk",))]), (MASTER,)).apps
    assert [len(apps[name].policy.exemptions) for name in "abc"] == [1, 0, 0]
    assert effect(apps["b"], AT_S - 1, app="other", call__stream=True) == "deny"
    assert apps["a"].policy.hash != apps["b"].policy.hash


def test_what_is_not_named_by_an_exemption_is_compiled_once():
    apps = load(bundle(), (MASTER,)).apps
    assert apps["a"].policy is apps["b"].policy
    assert apps["a"].policy is not apps["c"].policy
    assert apps["a"].for_key("k") is apps["a"]
    assert apps["a"].decide("request", slots(), frozenset(), 0.0)[1] is None


def test_a_candidate_in_shadow_is_judged_and_holds_for_nobody():
    apps = load(bundle(candidates=[Candidate("r", 0, text(STRICT, 2))]), (MASTER,)).apps
    app = apps["a"].for_key("k")
    assert (app.labels, app.beside.labels) == (b"baseline@1, house@1", ("baseline@1", "house@2"))
    assert app.judges.answer_rules
    assert not app.policy.answer_rules
    assert app.judges.needs == {"pii"}
    assert app.judges.reads_links
    decision, verdict = app.decide("request", slots(pii__count=1), frozenset(), 0.0)
    assert decision.permitted
    assert (verdict.served, verdict.change) == ("active", "newly_denied")
    assert apps["c"].rollout is None


def test_a_candidate_holds_for_its_share_of_the_keys():
    apps = load(bundle(candidates=[Candidate("r", 30, text(STRICT, 2))]), (MASTER,)).apps
    keys = [f"key-{number}" for number in range(40)]
    served = {key: apps["a"].for_key(key) for key in keys}
    assert {app.labels for app in served.values()} == {
        b"baseline@1, house@1",
        b"baseline@1, house@2",
    }
    for key, app in served.items():
        is_candidate = bucket(key) < 30
        assert (app is apps["a"].canary) == is_candidate
        decision, verdict = app.decide("request", slots(key=key, pii__count=1), frozenset(), 0.0)
        assert decision.permitted != is_candidate
        assert verdict.served == ("candidate" if is_candidate else "active")


def test_exemptions_hold_in_the_candidate_too():
    loaded = load(bundle([exemption()], [Candidate("r", 100, text(STRICT, 2))]), (MASTER,))
    app = loaded.apps["a"].for_key("k")
    assert app.policy.labels == ("baseline@1", "house@2")
    assert effect(app, AT_S - 1, call__stream=True) == "permit"
    assert effect(app, AT_S, call__stream=True) == "deny"


@pytest.mark.parametrize("pattern", ["bluebird{2000}", "bluebird(?=s)"])
def test_detectors_that_cannot_be_compiled_make_a_bundle_unusable_and_stay_unsaid(pattern):
    own = (CustomDetector("PROJECT", patterns=(pattern,)),)
    with pytest.raises(BundleError, match="own detectors cannot be compiled") as error:
        load(replace(bundle(), detectors=own), (MASTER,))
    assert "bluebird" not in repr(error.value)
    assert error.value.__cause__ is None
