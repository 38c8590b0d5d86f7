"""A text analysed where it would hold, and which of the active rules are silent."""

import datetime

import pytest
from django.utils import timezone

from audit.models import RuleHits
from gateway.models import Route
from policies import analysed as module
from policies.analysed import analysed
from policies.pdp.language import parse_document
from policies.services.attachments import policy_attach
from tenants.models import Role
from tenants.services.apps import app_create
from tests.policies.lifecycle import BODY, OPERATOR, House, unique

pytestmark = pytest.mark.usefixtures("db")

DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)
MANY = """\
default: permit
rules:
  - {id: many, when: call.n > 3, deny: {message: "No."}}
"""
MORE = MANY.replace("call.n > 3", "call.n > 5")


def told(house, body, actor=OPERATOR, now=None):
    house.policy.refresh_from_db()
    return analysed(actor, house.policy, parse_document(house.text(body)), now or timezone.now())


def test_what_is_needless_only_among_others_is_told_with_its_place():
    house, above = House(BODY), House(MANY)
    policy_attach(actor=OPERATOR, policy=above.policy, tenant=house.tenant)
    found = told(house, MORE)
    assert found.report.findings == ()
    (one,) = found.within
    assert one.places == (house.tenant.name,)
    assert [finding.kind for finding in one.findings] == ["subsumed"]
    assert {str(rule) for rule in one.findings[0].rules} == {
        f"{house.policy.name}/many",
        f"{above.policy.name}/many",
    }
    assert found.is_whole


def test_each_set_is_looked_at_once_however_many_apps_have_it():
    house, own = House(BODY), House(MANY)
    for name in ("one", "two"):
        app = app_create(actor=OPERATOR, tenant=house.tenant, name=name)
        policy_attach(actor=OPERATOR, policy=own.policy, tenant=house.tenant, app=app)
    found = told(house, MORE)
    places = {one.places: [finding.kind for finding in one.findings] for one in found.within}
    name = house.tenant.name
    assert places == {(name,): [], (f"{name} / one", f"{name} / two"): ["subsumed"]}


def test_policies_that_do_not_fit_together_are_told():
    model = Route.objects.create(name=unique("model"))
    routed = f"default: permit\nrules:\n  - {{id: r, when: true, route: {model.name}}}\n"
    house, other = House(BODY), House(routed)
    policy_attach(actor=OPERATOR, policy=other.policy, tenant=house.tenant)
    (one,) = told(house, routed).within
    assert "has more than one route" in one.clash


def test_others_tenants_are_not_looked_at():
    house, other = House(BODY), House(MANY)
    policy_attach(actor=OPERATOR, policy=house.policy, tenant=other.tenant)
    seen = told(house, MORE, actor=house.person(Role.ADMIN))
    assert [one.places for one in seen.within] == [(house.tenant.name,)]
    assert len(told(house, MORE).within) == 2


def test_the_work_is_bounded(monkeypatch):
    house, other = House(BODY), House(MANY)
    policy_attach(actor=OPERATOR, policy=house.policy, tenant=other.tenant)
    monkeypatch.setattr(module, "SETS_MAX", 1)
    found = told(house, MORE)
    assert (len(found.within), found.is_whole) == (1, False)
    monkeypatch.setattr(module, "TENANTS_MAX", 0)
    assert told(house, MORE).within == ()


def counted(house, now, rule="", calls=30):
    """Write hours at both ends of the 30 days before an instant."""
    start = now.replace(minute=0, second=0, microsecond=0)
    for day in (1, 30):
        RuleHits.objects.create(
            start=start - day * DAY + HOUR, tenant_id=house.tenant.id, rule=rule,
            mode="enforce" if rule else "", calls=calls, denied=0, decide_us=0, timed=0,
        )  # fmt: skip


def kinds(house, now, body=BODY, actor=OPERATOR):
    return [finding.kind for finding in told(house, body, actor, now).report.findings]


def test_a_rule_of_the_active_text_that_matched_nothing_in_a_month_is_told():
    house, later = House(), timezone.now() + 31 * DAY
    assert kinds(house, later) == []
    counted(house, later)
    (finding,) = told(house, BODY, now=later).report.findings
    assert finding.kind == "never_fired"
    assert finding.words.endswith("/no-streams has not matched a call in 30 days")
    assert kinds(house, later, MORE) == []
    assert kinds(house, later, actor=House().person(Role.ADMIN)) == []
    counted(house, later, f"{house.policy.name}/no-streams", calls=1)
    assert kinds(house, later) == []


def test_nothing_is_silent_before_a_month_or_without_calls():
    house, later = House(), timezone.now() + 29 * DAY
    counted(house, later)
    assert kinds(house, later) == []
    quiet, later = House(), timezone.now() + 31 * DAY
    counted(quiet, later, calls=9)
    assert kinds(quiet, later) == []
