"""Calls by the API: the same story as the console tells."""

import datetime

import pytest
from django.utils import timezone

from audit.models import Event
from gateway.models import Route
from policies.pdp.evaluate import EffectivePolicy
from tests.gateway.call_records import World
from tests.gateway.views.reading import signed_in, text
from tests.management import Api

COSTLY = """\
policy: {name}
default: permit
rules:
  - id: no-mini
    when: model.asked.endsWith("-mini")
    deny: {{message: No.}}
"""

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def auditor(world):
    return Api(world.person("auditor"))


def test_calls_are_listed_page_by_page(world, auditor):
    now = timezone.now()
    made = [
        world.call(at=now - datetime.timedelta(minutes=n)).admitted().completed() for n in range(5)
    ]
    seen, address = [], "calls/?limit=2"
    while address:
        page = auditor.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    assert seen == [str(call.id) for call in made]


def test_calls_are_filtered(world, auditor):
    denied = world.call().with_cards().refused()
    world.call().admitted().completed()
    rows = auditor.get("calls/?outcome=denied").json()["results"]
    assert [row["id"] for row in rows] == [str(denied.id)]
    assert len(auditor.get(f"calls/?app={world.app.id}").json()["results"]) == 2
    assert auditor.get("calls/?model=unheard-of").json()["results"] == []
    assert auditor.get("calls/?until=2020-01-01T00:00:00Z").json()["results"] == []
    (_, house) = (layer.name for layer in world.layered)
    rows = auditor.get(f"calls/?rule={house} / no-cards").json()["results"]
    assert [row["id"] for row in rows] == [str(denied.id)]
    mail = world.call().with_cards().admitted(redacted=True)
    rows = auditor.get("calls/?redaction=EMAIL_ADDRESS").json()["results"]
    assert [row["id"] for row in rows] == [str(mail.id)]
    for query in ("outcome=fine", "since=soon", "app=x", "colour=red"):
        assert auditor.get(f"calls/?{query}").status_code == 400


def test_a_call_is_shown_and_explained(world, auditor):
    call = world.call().with_cards().refused()
    shown = auditor.get(f"calls/{call.id}/").json()
    assert (shown["outcome"], shown["app"]) == ("denied", world.app.name)
    told = auditor.get(f"calls/{call.id}/explain").json()
    assert told["call"] == shown
    (event,) = Event.objects.filter(action="call.explain", object_id=str(call.id))
    assert event.tenant_id == world.tenant.id
    (ruling,) = told["rulings"]
    deciding = [rule["rule"] for rule in ruling["rules"] if rule["determining"]]
    assert deciding == ["no-cards"]
    assert told["way"]["words"].startswith("without the ")
    assert "CREDIT_CARD" in told["way"]["words"]
    assert told["way"]["changes"][0]["facts"]["pii.kinds"] == ["EMAIL_ADDRESS"]
    assert "3 pieces of personal data" in told["sentence"] + str(told)
    assert {"kind": "CREDIT_CARD", "count": 2}.items() <= told["findings"][0].items()


def test_what_would_pass_names_a_model_that_the_app_may_ask_for(world, auditor):
    for name in ("gpt-4o", "gpt-4o-mini", world.unique("other")):
        Route.objects.get_or_create(name=name)
    world.policy = EffectivePolicy([world.publish("platform", world.unique("costly"), COSTLY)])
    call = world.call().refused()
    assert auditor.get(f"calls/{call.id}/explain").json()["way"]["words"] == "with model gpt-4o"
    page = signed_in(world.person("auditor")).get(f"/calls/{call.id}")
    assert "with model gpt-4o" in text(page)


def test_what_was_paid_is_told_in_micros(world, auditor):
    call = world.call().admitted().completed(cost=310)
    shown = auditor.get(f"calls/{call.id}/").json()
    assert shown["charged"] == [{"currency": "USD", "micros": 310}]
    assert shown["tokens"]["input_tokens"] == 1204
    assert shown["attempts"][0]["outcome"] == "permitted"


def test_an_id_of_no_calendar_finds_nothing(auditor):
    for identity in (
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
    ):
        assert auditor.get(f"calls/{identity}/").status_code == 404
