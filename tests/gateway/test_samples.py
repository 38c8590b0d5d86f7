"""A sample is judged as a call would be, and nothing of it is kept."""

import logging

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Event, Record
from gateway.models import Deployment, Provider, Route, StoredAnswer
from policies.models import Backtest
from tests.gateway.call_records import World
from tests.gateway.history import Past
from tests.gateway.views.reading import signed_in, text
from tests.management import Api

pytestmark = pytest.mark.usefixtures("db")

CANARY = "tangerine-velocipede"
BODY = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": f"{CANARY} 4111 1111 1111 1111 ann@example.org"}],
}


@pytest.fixture
def past(unique):
    return Past(unique)


def wish(past, **changes):
    terms = {"tenant": str(past.tenant.id), "app": str(past.app.id), "body": BODY}
    return terms | changes


def draft(past):
    return past.house_text("pii.count > 2", "pii.count > 1")


def test_what_holds_and_a_draft_judge_it(past):
    author = Api(past.person("policy_author"))
    found = author.post("samples/", wish(past)).json()
    assert (found["before"]["effect"], found["change"]) == ("permit", "same")
    assert found["facts"]["pii.kinds"] == ["CREDIT_CARD", "EMAIL_ADDRESS"]
    assert found["facts"]["app.name"] == past.app.name
    found = author.post("samples/", wish(past, source=draft(past))).json()
    assert (found["after"]["effect"], found["change"]) == ("deny", "newly_denied")
    outcomes = {rule["rule"]: rule["outcome"] for rule in found["rules"]}
    assert outcomes[f"{past.house.name}/no-cards"] == "matched"
    added = "policy: more\ndefault: deny\n"
    for layer, change in (("app", "newly_denied"), ("tenant", "newly_denied")):
        asked = wish(past, source=added, layer=layer)
        assert author.post("samples/", asked).json()["change"] == change


def test_nothing_of_it_is_kept(past, caplog):
    author, answers = Api(past.person("policy_author")), StoredAnswer.objects.count()
    with caplog.at_level(logging.INFO), CaptureQueriesContext(connection) as queries:
        answer = author.post("samples/", wish(past), idempotency_key="once")
        page = signed_in(past.person("approver")).post(
            f"/policies/{past.house.id}/sample",
            {"app": str(past.app.id), "endpoint": "chat.completions", "layer": "",
             "body": str(BODY).replace("'", '"'), "source": draft(past)},
        )  # fmt: skip
    assert (answer.status_code, page.status_code) == (200, 200)
    assert answer["Cache-Control"] == page["Cache-Control"] == "no-store"
    assert CANARY not in caplog.text
    assert not any(CANARY in query["sql"] for query in queries)
    assert CANARY not in answer.content.decode()
    assert StoredAnswer.objects.count() == answers
    assert not Record.objects.filter(tenant_id=past.tenant.id).exists()
    assert not Backtest.objects.filter(tenant=past.tenant).exists()
    assert not Event.objects.filter(tenant_id=past.tenant.id).exists()


def test_the_console_shows_facts_and_rules(past):
    author = signed_in(past.person("policy_author"))
    address = f"/policies/{past.house.id}/sample"
    assert "Judge it" in text(author.get(address))
    asked = {"app": str(past.app.id), "endpoint": "chat.completions", "layer": ""}
    body = str(BODY).replace("'", '"')
    told = text(author.post(address, asked | {"body": body, "source": draft(past)}))
    assert "Now: permit" in told
    assert "With this text: deny" in told
    assert "CREDIT_CARD" in told
    for changes, said in (({"body": "{"}, "not JSON"), ({"source": "policy: 7"}, "1:9")):
        answer = author.post(address, asked | {"body": body, "source": ""} | changes)
        assert answer.status_code == 422
        assert said in text(answer)


def test_who_serves_a_model_is_told_of_those_that_the_app_may_ask_for_alone(past, unique):
    route = Route.objects.create(name=unique("secret"))
    provider = Provider.objects.create(
        name=unique("vendor"), dialect="openai", base_url="https://api.example.org/v1"
    )
    Deployment.objects.create(route=route, provider=provider, model="m", region="mars")
    asked = wish(past, body=BODY | {"model": route.name})
    author = Api(past.person("policy_author"))
    assert provider.name not in author.post("samples/", asked).content.decode()
    past.app.models.append(route.name)
    past.app.save(update_fields=["models"])
    facts = author.post("samples/", asked).json()["facts"]
    assert (facts["model.provider"], facts["model.region"]) == (provider.name, "mars")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"body": {"messages": "x"}}, "body"),
        ({"body": {"x": "y" * 300_000}}, "body"),
        ({"source": "policy: elsewhere\n"}, "policy"),
        ({"source": "policy: 7\n"}, "source:1:9"),
        ({"app": "018f2f9e-0000-7000-8000-000000000001"}, "app"),
        ({"endpoint": "models"}, "endpoint"),
        ({"prompt": "x"}, "prompt"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_judged(past, changes, field):
    answer = Api(past.person("owner")).post("samples/", wish(past, **changes))
    assert answer.status_code == 400, answer.content
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_who_may(past, unique):
    for role in ("auditor", "analyst", "key_manager", "app_developer"):
        answer = Api(past.person(role)).post("samples/", wish(past))
        assert (role, answer.status_code) == (role, 403)
    assert Api(World(unique).person("owner")).post("samples/", wish(past)).status_code == 400
