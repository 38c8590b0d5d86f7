"""Back-tests in the console: the form, how far it is, and what came of it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway.jobs.run import run
from gateway.models import Job
from policies.models import Backtest
from tests.gateway.call_records import World
from tests.gateway.history import Past
from tests.gateway.views.reading import body, links, signed_in, text

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def past(unique):
    made = Past(unique)
    made.calls = [
        made.call(pii__count=1, pii__kinds=("CREDIT_CARD",)).refused("rate_limit_exceeded")
        for _ in range(2)
    ]
    return made


@pytest.fixture
def author(past):
    return signed_in(past.person("policy_author"))


def given(past, **changes):
    since, until = (f"{instant:%Y-%m-%dT%H:%M}" for instant in past.range())
    text = past.house_text("pii.count > 2", "pii.count > 0").replace("\n", "\r\n")
    terms = {"tenant": past.tenant.name, "source": text, "since": since, "until": until}
    return terms | {"layer": "", "app": "", "reason": ""} | changes


def test_a_text_is_back_tested_from_its_policy_s_page(past, author):
    page = f"/policies/{past.house.id}"
    assert f"{page}/backtest" in links(author.get(page))
    form = body(author.get(f"{page}/backtest"))
    assert "id: no-cards" in form
    answer = author.post(f"{page}/backtest", given(past))
    made = Backtest.objects.get(tenant=past.tenant)
    assert answer["Location"] == f"/backtests/{made.pk}"
    live = author.get(answer["Location"])
    assert f'hx-get="/backtests/{made.pk}"' in body(live)
    assert "Cancel" in text(live)
    Job.objects.filter(pk=made.job_id).update(done=1, total=4)
    part = author.get(answer["Location"], headers={"HX-Request": "true"})
    assert "1 of 4" in text(part)
    assert "<html" not in body(part)
    run(made.job_id, "test")
    done = author.get(answer["Location"])
    assert f"2 of 2 calls would newly be refused: app {past.app.name} 2" in text(done)
    assert "2 of those newly refused were refused by a limit anyway" in text(done)
    assert f"{past.house.name}/no-cards" in text(done).replace("\u200b", "")
    assert "hx-get" not in body(done).split('id="backtest"')[1][:100]
    assert f"/backtests/{made.pk}" in links(author.get(page))


def test_calls_are_linked_for_who_may_read_them(past, author):
    author.post(f"/policies/{past.house.id}/backtest", given(past))
    made = Backtest.objects.get(tenant=past.tenant)
    run(made.job_id, "test")
    address = f"/calls/{past.calls[0].id}"
    assert address not in links(author.get(f"/backtests/{made.pk}"))
    auditor = signed_in(past.person("auditor"))
    assert address in links(auditor.get(f"/backtests/{made.pk}"))
    assert "Cancel" not in text(auditor.get(f"/backtests/{made.pk}"))


def test_pages_ask_little_of_the_database(past, author):
    author.post(f"/policies/{past.house.id}/backtest", given(past))
    made = Backtest.objects.get(tenant=past.tenant)
    run(made.job_id, "test")
    for address in (f"/backtests/{made.pk}", f"/policies/{past.house.id}"):
        with CaptureQueriesContext(connection) as queries:
            assert author.get(address).status_code == 200
        assert len(queries) <= 12, address


def test_what_is_wrong_stands_in_the_form(past, author):
    address = f"/policies/{past.house.id}/backtest"
    for changes, said in (
        ({"source": f"policy: {past.house.name}\nrules:\n  - id: x\n"}, "3:"),
        ({"app": "nobody", "layer": "app"}, "has no app of this name"),
        ({"layer": "tenant"}, "two versions"),
        ({"until": "2001-01-01T00:00"}, "at most 400 days"),
    ):
        answer = author.post(address, given(past, **changes))
        assert answer.status_code == 422
        assert said in text(answer)


def test_a_draft_for_one_app(past, author):
    draft = "policy: draft\ndefault: permit\n"
    asked = given(past, source=draft, layer="app", app=past.app.name)
    author.post(f"/policies/{past.house.id}/backtest", asked)
    assert Backtest.objects.get(tenant=past.tenant).app_id == past.app.id


def test_it_is_cancelled(past, author):
    author.post(f"/policies/{past.house.id}/backtest", given(past))
    made = Backtest.objects.get(tenant=past.tenant)
    assert "thrown away" in text(author.get(f"/backtests/{made.pk}/cancel"))
    answer = author.post(f"/backtests/{made.pk}/cancel", {"reason": "no"}, follow=True)
    assert "it was cancelled" in text(answer)


def test_strangers_see_nothing(past, author, unique):
    author.post(f"/policies/{past.house.id}/backtest", given(past))
    made = Backtest.objects.get(tenant=past.tenant)
    stranger = signed_in(World(unique).person("owner"))
    for address in (f"/backtests/{made.pk}", f"/backtests/{made.pk}/cancel"):
        assert stranger.get(address).status_code == 404
    assert stranger.get(f"/policies/{past.house.id}/backtest").status_code == 404
    auditor = signed_in(past.person("auditor"))
    assert auditor.get(f"/policies/{past.house.id}/backtest").status_code == 403
    assert auditor.get(f"/backtests/{made.pk}/cancel").status_code == 403
