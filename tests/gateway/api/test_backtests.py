"""Back-tests by the API: asked for, read, stopped, and by whom."""

import pytest

from audit.models import Event
from gateway.jobs.run import run
from policies.models import Backtest
from tests.gateway.call_records import World
from tests.gateway.history import Past
from tests.management import Api
from tests.policies.pdp.test_tally import CAP

pytestmark = pytest.mark.usefixtures("db")

DRAFT = f"policy: draft\ndefault: permit\nrules:\n{CAP}\n"


@pytest.fixture
def past(unique):
    made = Past(unique)
    made.call(pii__count=1, pii__kinds=("CREDIT_CARD",)).refused("rate_limit_exceeded")
    return made


def wish(past, **changes):
    since, until = (instant.isoformat() for instant in past.range())
    text = past.house_text("pii.count > 2", "pii.count > 0")
    return {"tenant": str(past.tenant.id), "source": text, "since": since, "until": until} | changes


def test_a_policy_author_learns_who_would_be_affected(past):
    author = Api(past.person("policy_author"))
    asked = author.post("backtests/", wish(past, reason="tighter"))
    assert asked.status_code == 201, asked.content
    made = Backtest.objects.get(pk=asked.json()["id"])
    assert asked.json()["state"] == "pending"
    event = Event.objects.get(action="backtest.create", object_id=str(made.pk))
    assert (event.reason, event.after["policy"]) == ("tighter", past.house.name)
    assert "no-cards" not in str(event.after)
    run(made.job_id, "test")
    shown = author.get(f"backtests/{made.pk}/").json()
    assert (shown["state"], shown["result"]["changes"]["newly_denied"]) == ("ready", 1)
    assert shown["result"]["by_rule"][0]["name"] == f"{past.house.name}/no-cards"
    assert shown["result"]["refused_anyway"] == 1
    listed = author.get(f"backtests/?tenant={past.tenant.id}&policy={past.house.name}").json()
    assert [row["id"] for row in listed["results"]] == [str(made.pk)]


def test_one_is_added_at_an_app_and_cancelled(past):
    author = Api(past.person("policy_author"))
    asked = author.post(
        "backtests/", wish(past, source=DRAFT, layer="app", app=str(past.app.id))
    ).json()
    stopped = author.post(f"backtests/{asked['id']}/cancel/", {"reason": "another day"})
    assert (stopped.status_code, stopped.json()["state"]) == (200, "failed")
    assert Event.objects.get(action="backtest.cancel", object_id=asked["job_id"])
    assert author.post(f"backtests/{asked['id']}/cancel/").status_code == 200


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source": "policy: 7\n"}, "source:1:9"),
        ({"source": DRAFT}, "policy"),
        ({"layer": "moon"}, "layer"),
        ({"layer": "app"}, "app"),
        ({"until": "1999-01-01T00:00:00Z"}, "until"),
        ({"until": "2001-01-01T00:00:00Z"}, "until"),
        ({"prompt": "Hello"}, "prompt"),
        ({"tenant": "018f2f9e-0000-7000-8000-000000000001"}, "tenant"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_for(past, changes, field):
    answer = Api(past.person("owner")).post("backtests/", wish(past, **changes))
    assert answer.status_code == 400, answer.content
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_who_may(past, unique):
    owner = Api(past.person("owner"))
    made = owner.post("backtests/", wish(past)).json()["id"]
    for role in ("owner", "admin", "policy_author", "approver", "auditor"):
        assert Api(past.person(role)).get(f"backtests/{made}/").status_code == 200
    for role in ("analyst", "app_developer", "key_manager"):
        api = Api(past.person(role))
        assert api.get(f"backtests/{made}/").status_code == 404
        assert api.post("backtests/", wish(past)).json()["permission"] == "backtest.create"
    auditor = Api(past.person("auditor"))
    for address, body in (("backtests/", wish(past)), (f"backtests/{made}/cancel/", None)):
        assert auditor.post(address, body).status_code == 403
    stranger = Api(World(unique).person("owner"))
    assert stranger.get(f"backtests/{made}/").status_code == 404
    assert stranger.post(f"backtests/{made}/cancel/").status_code == 404
    assert stranger.post("backtests/", wish(past)).status_code == 400
