"""Usage and cost: parted, compared, totalled as the ledger does, and as a table to take along."""

import csv

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from tenants.models import LedgerEntry
from tests.gateway.call_records import World
from tests.gateway.views.insight import used
from tests.gateway.views.reading import body, links, signed_in, text

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def analyst(world):
    return signed_in(world.person("analyst"))


def rows(answer):
    return list(csv.DictReader(answer.content.decode().splitlines()))


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("app", "0.000003 EUR"),
        ("key", "K7hTq2mXab"),
        ("model", "gpt-4o-mini"),
        ("user", "bob"),
        ("currency", "EUR"),
    ],
)
def test_usage_is_parted(world, analyst, by, said):
    used(world)
    told = text(analyst.get(f"/usage?by={by}"))
    assert said in told
    assert "Total" in told
    assert "Summed up as of 20" in told


def test_a_declared_tag_parts_it_too(world, analyst):
    world.tenant.tags = ["team"]
    world.tenant.save()
    used(world)
    assert "red" in text(analyst.get("/usage?by=tag:team"))
    assert analyst.get("/usage?by=tag:shoe").status_code == 422
    told = text(analyst.get("/usage?by=colour"))
    assert "cannot be read" in told


def test_totals_are_the_ledgers(world, analyst):
    used(world)
    found = rows(analyst.get("/usage.csv?by=model&range=30d"))
    assert found[-1]["label"] == "Total"
    ledger = LedgerEntry.objects.filter(tenant_id=world.tenant.id, currency="USD")
    pico = ledger.aggregate(sum=Sum("delta_pico"))["sum"]
    assert found[-1]["cost USD"] == f"{pico / 1_000_000_000_000:.6f}"
    assert sum(int(row["calls"]) for row in found[:-1]) == int(found[-1]["calls"]) == 5


def test_it_is_compared_with_the_range_before(world, analyst):
    used(world)
    told = text(analyst.get("/usage?by=model&range=7d"))
    assert "0.000004 USD +100 %" in told
    assert "against the 7 days before" in told
    assert "new" in told
    alone = text(analyst.get("/usage?by=model&range=24h"))
    assert "Nothing was used in the 24 hours before." in alone
    assert "new" not in alone.split("Tokens in")[1]


def test_a_row_leads_to_its_value_alone(world, analyst):
    used(world)
    answer = analyst.get("/usage?by=model&range=7d")
    (narrowed,) = [link for link in links(answer) if link.endswith("model=gpt-4o")]
    told = text(analyst.get(narrowed))
    assert "model: gpt-4o" in told
    assert "gpt-4o-mini" not in told
    of_app = analyst.get(f"/usage?app={world.app.id}&by=user")
    assert f"app: {world.app.name}" in text(of_app)
    assert analyst.get("/usage?app=x").status_code == 400


def test_several_values_of_a_dimension_are_alternatives(world, analyst):
    used(world)
    answer = analyst.get("/usage?by=user&model=gpt-4o&model=gpt-4o-mini&user=bob")
    told = text(answer)
    assert "model: gpt-4o remove" in told
    assert "model: gpt-4o-mini remove" in told
    (total,) = [row for row in rows(analyst.get("/usage.csv?by=model&model=gpt-4o&model=x"))
                if row["label"] == "Total"]  # fmt: skip
    assert total["calls"] == "2"
    without = [link for link in links(answer) if "model=gpt-4o-mini" in link]
    assert [link for link in without if "model=gpt-4o&" not in f"{link}&" and "user=bob" in link]
    assert body(answer).count('type="hidden" name="model"') == 2


def test_tenants_are_parted_for_who_reads_several(unique, world):
    user = world.person("analyst")
    other = World(unique)
    other.tenant.memberships.create(user=user, role="auditor")
    used(world)
    used(other)
    browser = signed_in(user)
    answer = browser.get("/usage?by=tenant")
    assert "Total" in text(answer)
    (link,) = [
        each for each in links(answer) if f"tenant={other.tenant.name}" in each and "by=" in each
    ]
    assert other.app.name in text(browser.get(link))
    assert browser.get(f"/usage?by=tenant&tenant={other.tenant.name}").status_code == 422


def test_the_table_runs_no_formula(world, analyst):
    used(world)
    answer = analyst.get("/usage.csv?by=user")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="usage-user-7d.csv"'
    assert {"'=ann", "bob"} <= {row["label"] for row in rows(answer)}
    assert analyst.get("/usage.csv?by=colour").status_code == 400


def test_nothing_and_nothing_that_matches(world, analyst):
    assert "No usage in the last 7 days" in text(analyst.get("/usage"))
    used(world)
    answer = analyst.get("/usage?model=none")
    assert "No usage matches these filters" in text(answer)


def test_others_see_nothing(unique, world, analyst):
    other = World(unique)
    used(other)
    assert "No usage" in text(analyst.get("/usage"))
    assert analyst.get(f"/usage?tenant={other.tenant.name}").status_code == 404
    assert signed_in(world.person("approver")).get("/usage").status_code == 403


def test_it_takes_few_queries(world, analyst):
    used(world)
    with CaptureQueriesContext(connection) as queries:
        analyst.get(f"/usage?by=app&app={world.app.id}&tenant={world.tenant.name}")
    assert len(queries) <= 12, "\n".join(query["sql"][:150] for query in queries)
