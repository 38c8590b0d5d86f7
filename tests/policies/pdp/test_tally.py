"""The sum of a back-test."""

import json

from policies.pdp.backtest import Comparison, Lacking
from policies.pdp.tally import EXAMPLES_MAX, LACKING_MAX, NAMES_MAX, OTHERS, Caller, Tally
from tests.policies.pdp.test_backtest import MAIL, OPEN, deny, effective, past

CAP = "  - {id: c, when: true, cap: {n: 2}}"


def compared(before, after):
    return Comparison(before, after).compare(past(pii__count=1))


def caller(number=0, **more):
    return Caller(f"call-{number}", f"at {number}", more.pop("app", "app"), "key", "model", **more)


def test_calls_are_counted_by_all_that_names_them():
    tally = Tally()
    tally.add(caller(1, currency="USD", micros=5), compared(OPEN, effective([MAIL])))
    tally.add(caller(2, elsewhere="rate_limit_exceeded"), compared(OPEN, effective([MAIL])))
    tally.add(caller(3, app="b"), compared(OPEN, OPEN))
    tally.add(caller(4), Lacking(("pii.count", "pii.kinds")))
    found = tally.written()
    assert (found["calls"], found["compared"], found["not_comparable"]) == (4, 3, 1)
    assert found["lacking"] == [{"facts": "pii.count, pii.kinds", "calls": 1}]
    assert (found["changes"]["newly_denied"], found["changes"]["same"]) == (2, 1)
    assert (found["refused_anyway"], found["cost_micros"]) == (1, {"USD": 5})
    assert [(row["name"], row["calls"]) for row in found["by_app"]] == [("app", 2), ("b", 1)]
    assert [row["name"] for row in found["by_rule"]] == ["draft/mail"]
    (newest, older) = found["examples"]["newly_denied"]
    assert (newest["call"], older["call"]) == ("call-2", "call-1")
    assert (newest["before"], newest["after"]) == ("permit", "deny draft/mail")
    assert json.loads(json.dumps(found)) == found


def test_the_rule_that_tells():
    def rule(before, after):
        tally = Tally()
        tally.add(caller(), compared(effective(before), effective(after)))
        return tally.written()["by_rule"][0]["name"]

    assert rule([MAIL], []) == "draft/mail"
    assert rule([MAIL], [deny("other", "true")]) == "draft/other"
    assert rule([], [CAP]) == "draft/c"
    assert rule([CAP], []) == "draft/c"
    assert rule([CAP], [CAP.replace("2", "3")]) == "draft/c"


def test_it_stays_small_whatever_comes():
    tally, found = Tally(), compared(OPEN, effective([MAIL]))
    for number in range(NAMES_MAX + 50):
        tally.add(caller(number, app=f"app-{number}"), found)
        tally.add(caller(number), Lacking((f"fact-{number}",)))
    told = tally.written()
    apps = {row["name"]: row["calls"] for row in told["by_app"]}
    assert (len(apps), apps[OTHERS]) == (NAMES_MAX + 1, 50)
    assert len(told["lacking"]) == LACKING_MAX + 1
    assert told["not_comparable"] == NAMES_MAX + 50
    assert len(told["examples"]["newly_denied"]) == EXAMPLES_MAX
    assert told["examples"]["newly_denied"][0]["call"] == f"call-{NAMES_MAX + 49}"
