"""Marks on calls and figures of rules, by the API and in the console."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event, Mark
from audit.rule_hits import hour_roll
from gateway.services.marks import subjects
from tenants.permissions import MATRIX
from tests.gateway.call_records import World
from tests.gateway.history import Past
from tests.gateway.views.reading import body, links, signed_in, text
from tests.management import Api

pytestmark = pytest.mark.usefixtures("db")

MAY = {role for role, actions in MATRIX.items() if "mark.create" in actions}


@pytest.fixture
def past(unique):
    made = Past(unique)
    made.one = made.call().with_cards().refused()
    made.rule = f"{made.house.name}/no-cards"
    return made


def this_hour():
    return timezone.now().replace(minute=0, second=0, microsecond=0)


def wish(past, **changes):
    return {"on": "rule", "subject": past.rule, "verdict": "false_positive"} | changes


def test_a_rule_is_marked_and_marked_anew(past):
    auditor = Api(past.person("auditor"))
    address = f"calls/{past.one.id}/marks/"
    can_be = auditor.get(address).json()
    assert can_be["results"] == []
    assert past.rule in can_be["rules"]
    assert can_be["kinds"] == ["CREDIT_CARD", "EMAIL_ADDRESS"]
    made = auditor.post(address, wish(past, reason="a test card"))
    assert made.status_code == 201, made.content
    assert made.json()["verdict"] == "false_positive"
    assert Event.objects.get(action="mark.create", tenant_id=past.tenant.id).reason == "a test card"
    auditor.post(address, wish(past, verdict="correct"))
    auditor.post(address, wish(past, on="kind", subject="EMAIL_ADDRESS"))
    said = [(row["on"], row["verdict"]) for row in auditor.get(address).json()["results"]]
    assert said == [("kind", "false_positive"), ("rule", "correct")]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subject": "no/such"}, "subject"),
        ({"on": "kind"}, "subject"),
        ({"on": "call"}, "on"),
        ({"verdict": "meh"}, "verdict"),
        ({"text": "x"}, "text"),
    ],
)
def test_what_cannot_be_marked(past, changes, field):
    answer = Api(past.person("owner")).post(f"calls/{past.one.id}/marks/", wish(past, **changes))
    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert not Mark.objects.filter(tenant_id=past.tenant.id).exists()


@pytest.mark.parametrize("role", list(MATRIX))
def test_who_may_mark(past, role):
    answer = Api(past.person(role)).post(f"calls/{past.one.id}/marks/", wish(past))
    assert answer.status_code == (201 if role in MAY else 404)  # who may not read it sees none
    page = signed_in(past.person(role)).get(f"/calls/{past.one.id}/mark")
    assert page.status_code == (200 if role in MAY else 403)


def test_a_stranger_finds_no_call_to_mark(past, unique):
    owner = World(unique).person("owner")
    assert Api(owner).post(f"calls/{past.one.id}/marks/", wish(past)).status_code == 404
    assert signed_in(owner).get(f"/calls/{past.one.id}/mark").status_code == 404
    assert {"owner", "admin", "auditor"} == MAY


def test_answers_can_be_marked_too(past):
    call = past.call().admitted().answer_denied()
    assert f"{past.house.name}/no-tools-back" in subjects(call.rows)["rule"]
    assert f"{past.house.name}/watch-size" in subjects(call.rows)["rule"]


def test_the_console_marks_and_shows_marks_and_figures(past):
    auditor = signed_in(past.person("auditor"))
    page = f"/calls/{past.one.id}"
    assert "Nobody has said" in text(auditor.get(page))
    assert f"{page}/mark" in links(auditor.get(page))
    assert past.rule in body(auditor.get(f"{page}/mark"))
    asked = {"what": f"rule {past.rule}", "verdict": "false_positive", "reason": ""}
    told = text(auditor.post(f"{page}/mark", asked, follow=True)).replace("\u200b", "")
    assert f"{past.rule} is marked." in told
    assert "false positive" in told
    hour_roll(this_hour())
    told = text(auditor.get(f"/policies/{past.house.id}")).replace("\u200b", "")
    assert f"{past.rule} enforce 1 1 1 0 %" in told
    for address in (page, f"/policies/{past.house.id}", "/overview"):
        with CaptureQueriesContext(connection) as queries:
            auditor.get(address)
        said = [each["sql"] for each in queries if each["sql"] not in ("BEGIN", "COMMIT")]
        assert len(said) <= 12, "\n".join(each[:150] for each in said)


def test_rules_by_the_api(past):
    hour_roll(this_hour())
    author = Api(past.person("policy_author"))
    found = author.get(f"rules/?tenant={past.tenant.id}&policy={past.house.name}").json()
    rules = {row["rule"]: row for row in found["results"]}
    assert (rules[past.rule]["calls"], rules[past.rule]["denied"]) == (1, 1)
    assert rules[past.rule]["precision_percent"] is None
    later = (timezone.now() + datetime.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    none = author.get(f"rules/?tenant={past.tenant.id}&since={later}")
    assert none.status_code == 400
    assert Api(past.person("analyst")).get(f"rules/?tenant={past.tenant.id}").status_code == 403
    assert author.get("rules/").status_code == 400


def test_strangers_see_no_rules(past, unique):
    stranger = Api(World(unique).person("owner"))
    assert stranger.get(f"rules/?tenant={past.tenant.id}").status_code == 400
