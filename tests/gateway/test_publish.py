"""What is compiled for a tenant, when, and what happens where it cannot be."""

import logging
import secrets
import zoneinfo
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import transaction
from redis import Redis

from audit.actor import command
from gateway import bundle, credentials
from gateway.bundle import decode
from gateway.envelope import Sealed, key_pepper, unseal
from gateway.models import BundleRevision
from gateway.publish import KEEP, RENEW_AFTER, publish
from gateway.selectors import tenants_behind
from gateway.services.prices import price_set
from gateway.services.providers import credential_set, provider_create
from gateway.services.routes import deployment_create, route_create
from gateway.tasks import maintain_partitions, publish_tenants, refresh_prices
from policies.models import Policy
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.language import load_canonical
from policies.services.attachments import policy_attach
from policies.services.policies import policy_create, policy_publish
from tenants.models import Tenant
from tenants.services.apps import app_create, app_remove, app_suspend
from tenants.services.budgets import budget_create, budget_remove
from tenants.services.keys import virtual_key_issue
from tenants.services.limits import rate_limit_create
from tenants.services.tenants import tenant_create, tenant_remove, tenant_suspend, tenant_update

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
CANARY = "sk-canary-77aa"


def unique(stem):
    return f"{stem}-{secrets.token_hex(4)}"


def euros(tenant, name="month", **others):
    terms = {"limit_micros": 9_000_000, "currency": "EUR", "window": "month", **others}
    return budget_create(actor=OPERATOR, tenant=tenant, name=name, **terms)


def policy(body="default: permit", **where):
    made = policy_create(actor=OPERATOR, name=unique("policy"))
    policy_publish(actor=OPERATOR, policy=made, source=f"policy: {made.name}\n{body}\n")
    if where:
        policy_attach(actor=OPERATOR, policy=made, **where)
    return made


def route(provider=None, **others):
    made = route_create(actor=OPERATOR, name=unique("model"), **others)
    provider = provider or provider_create(
        actor=OPERATOR, name=unique("simulated"), dialect="simulated"
    )
    deployment_create(actor=OPERATOR, route=made, provider=provider, model="m", weight=3)
    return made


def fresh(tenant):
    return Tenant.objects.get(pk=tenant.pk)


def published(tenant):
    assert publish(tenant.id) == fresh(tenant).revision, fresh(tenant).publish_error
    row = BundleRevision.objects.filter(tenant_id=tenant.id).order_by("-revision")[0]
    return decode(bytes(row.body), row.checksum)


@pytest.fixture
def acme():
    return tenant_create(
        actor=OPERATOR,
        name=unique("acme"),
        timezone="Europe/Berlin",
        tags=["team"],
        pii_countries=["DE"],
        pii_phone_regions=["DE", "US"],
    )


def test_a_bundle_says_who_the_tenant_is(acme):
    made = published(acme)
    assert (made.format, made.tenant_id, made.tenant) == (bundle.FORMAT, str(acme.id), acme.name)
    assert (made.active, made.timezone, made.evidence) == (True, "Europe/Berlin", "strict")
    assert made.tags == ("team",)
    assert (made.pii_countries, made.pii_phone_regions) == (("DE",), ("DE", "US"))
    assert made.revision == fresh(acme).revision == fresh(acme).published_revision


def test_a_bundle_holds_the_routes_that_its_apps_may_call_and_no_other(acme):
    mine, foreign = route(max_output_tokens=99, default_max_output_tokens=9), route()
    price_set(actor=OPERATOR, of=mine, price=bundle.Price("USD", 5, 6, 4, 0, 1_700_000_000))
    helpdesk = app_create(
        actor=OPERATOR, tenant=acme, name="helpdesk", models=[mine.name, "gone"], tier="gold"
    )
    made = published(acme)
    assert made.apps == {
        str(helpdesk.id): bundle.App(
            str(helpdesk.id),
            "helpdesk",
            "gold",
            active=True,
            models=(mine.name, "gone"),
            policies=(),
        )
    }
    assert set(made.routes) == {mine.name}
    assert foreign.name not in made.routes
    served = made.routes[mine.name]
    assert (served.max_output_tokens, served.default_max_output_tokens) == (99, 9)
    (deployment,) = served.deployments
    assert (deployment.dialect, deployment.model, deployment.weight) == ("simulated", "m", 3)
    assert deployment.prices == (bundle.Price("USD", 5, 6, 4, 0, 1_700_000_000),)
    assert deployment.credential is None


def test_a_credential_travels_sealed(acme):
    vendor = provider_create(
        actor=OPERATOR, name=unique("p"), dialect="openai", base_url="https://v.example/v1"
    )
    credential_set(actor=OPERATOR, provider=vendor, secret=CANARY)
    mine = route(vendor)
    app_create(actor=OPERATOR, tenant=acme, name="helpdesk", models=[mine.name])
    sealed = published(acme).routes[mine.name].deployments[0].credential
    box = Sealed(sealed.sealed, sealed.key_id)
    assert unseal(box, sealed.row, credentials.masters()) == CANARY
    row = BundleRevision.objects.filter(tenant_id=acme.id).order_by("-revision")[0]
    assert CANARY.encode() not in bytes(row.body)


def test_what_is_suspended_or_removed_is_not_active(acme):
    one, two, three = (
        app_create(actor=OPERATOR, tenant=acme, name=name) for name in ("one", "two", "three")
    )
    app_suspend(actor=OPERATOR, app=two)
    app_remove(actor=OPERATOR, app=three)
    tenant_suspend(actor=OPERATOR, tenant=acme)
    made = published(acme)
    assert not made.active
    assert {app.name: app.active for app in made.apps.values()} == {"one": True, "two": False}
    assert str(one.id) in made.apps


def test_policies_of_every_layer_compile_as_they_are_written_down(acme):
    helpdesk = app_create(actor=OPERATOR, tenant=acme, name="helpdesk")
    whole, own = policy(tenant=acme), policy("default: deny", tenant=acme, app=helpdesk)
    detached = policy()
    made = published(acme)
    assert made.tenant_policies == (whole.name,)
    assert made.apps[str(helpdesk.id)].policies == (own.name,)
    assert detached.name not in made.policies
    text = made.policies[own.name]
    assert (text.version, text.hash) == (1, Policy.objects.get(pk=own.pk).active.hash)
    document = load_canonical(text.canonical.encode())
    assert EffectivePolicy([Layered("app", text.name, 1, document)]).labels == (f"{own.name}@1",)


def test_a_model_that_a_policy_routes_to_comes_along(acme):
    target = route()
    policy(f"default: permit\nrules:\n  - {{id: r, when: true, route: {target.name}}}", tenant=acme)
    app_create(actor=OPERATOR, tenant=acme, name="helpdesk")
    assert target.name in published(acme).routes


@pytest.mark.parametrize("window", ["hour", "day", "week", "month"])
def test_case_08_a_budget_knows_its_windows_for_forty_days_and_three_windows(acme, window):
    euros(acme, window=window, group_by=["app"], alert_at=[])
    (budget,) = published(acme).budgets
    now = datetime.now(UTC).timestamp()
    assert (budget.limit_micros, budget.currency, budget.hard) == (9_000_000, "EUR", True)
    assert (budget.window, budget.group_by, budget.app_id) == (window, ("app",), "")
    assert budget.starts[0] <= now
    assert budget.starts[-1] >= now + 40 * 86400
    assert len([start for start in budget.starts if start > now]) >= 4
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    assert {datetime.fromtimestamp(start, berlin).minute for start in budget.starts} == {0}


def test_a_total_budget_has_one_window_without_end(acme):
    euros(acme, window="total", mode="soft")
    (budget,) = published(acme).budgets
    assert (budget.starts, budget.hard) == ((0, 2**40), False)


def test_a_budget_or_limit_says_whose_it_is(acme):
    helpdesk = app_create(actor=OPERATOR, tenant=acme, name="helpdesk")
    key, _ = virtual_key_issue(
        actor=OPERATOR, app=helpdesk, name="k", pepper=key_pepper(settings.GATEHOUSE.kek)
    )
    euros(acme, "of-app", app=helpdesk)
    euros(acme, "of-key", key=key)
    budget_remove(actor=OPERATOR, budget=euros(acme, "gone"))
    rate = {"actor": OPERATOR, "tenant": acme, "kind": "requests", "amount": 600, "per": "minute"}
    rate_limit_create(name="rpm", burst=100, **rate)
    rate_limit_create(name="own", key=key, **rate)
    rate_limit_create(actor=OPERATOR, tenant=acme, name="par", kind="concurrency", amount=4)
    made = published(acme)
    assert {budget.name: (budget.app_id, budget.key_id) for budget in made.budgets} == {
        "of-app": (str(helpdesk.id), ""),
        "of-key": ("", key.public_id),
    }
    assert {
        limit.name: (limit.kind, limit.amount, limit.per_s, limit.burst, limit.key_id)
        for limit in made.limits
    } == {
        "rpm": ("requests", 600, 60, 100, ""),
        "own": ("requests", 600, 60, 600, key.public_id),
        "par": ("concurrency", 4, 0, 4, ""),
    }


def test_publishing_twice_changes_nothing(acme):
    published(acme)
    rows = list(BundleRevision.objects.filter(tenant_id=acme.id).values())
    assert publish(acme.id) == fresh(acme).revision
    assert list(BundleRevision.objects.filter(tenant_id=acme.id).values()) == rows


def test_old_bundles_are_pruned(acme):
    for number in range(KEEP + 3):
        tenant_update(actor=OPERATOR, tenant=acme, tags=[f"t{number}"])
        publish(acme.id)
    rows = BundleRevision.objects.filter(tenant_id=acme.id).order_by("revision")
    assert rows.count() == KEEP
    assert rows.last().revision == fresh(acme).revision


def test_a_new_revision_is_announced(acme):
    with Redis.from_url(settings.GATEHOUSE.redis_url) as redis, redis.pubsub() as feed:
        feed.subscribe("gatehouse:revisions")
        feed.get_message(timeout=2)
        publish(acme.id)
        heard = feed.get_message(timeout=2)
    assert heard["data"].decode() == f"{acme.id}:{fresh(acme).revision}"


def test_what_cannot_be_compiled_leaves_the_last_good_bundle(acme, caplog):
    good = published(acme)
    nowhere = unique("nowhere")
    gone = route_create(actor=OPERATOR, name=nowhere)
    policy(f"default: permit\nrules:\n  - {{id: r, when: true, route: {nowhere}}}", tenant=acme)
    gone.delete()
    app_create(actor=OPERATOR, tenant=acme, name="helpdesk")
    with caplog.at_level(logging.ERROR, logger="gateway.publish"):
        assert publish(acme.id) is None
        assert publish(acme.id) is None
    assert caplog.messages == ["publish_failed"]
    tenant = fresh(acme)
    assert f"routes to {nowhere}, which is no model" in tenant.publish_error
    assert tenant.published_revision == good.revision < tenant.revision
    assert BundleRevision.objects.filter(tenant_id=acme.id).count() == 1
    route_create(actor=OPERATOR, name=nowhere)
    assert publish(acme.id) == fresh(acme).revision
    assert fresh(acme).publish_error == ""


def test_case_09_a_budget_without_a_ceiling_is_not_published(acme):
    euros(acme, "per-user", group_by=["user"], defer_ceilings=True)
    assert publish(acme.id) is None
    assert "per-user is grouped by what a client declares" in fresh(acme).publish_error
    euros(acme)
    assert publish(acme.id)


def test_a_change_while_compiling_is_not_lost(acme):
    before = published(acme).revision
    tenant_update(actor=OPERATOR, tenant=acme, tags=["later"])
    assert fresh(acme).published_revision == before
    assert published(acme).tags == ("later",)


def test_publishing_stands_in_no_other_transaction(acme):
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        publish(acme.id)


# Tasks


def test_the_task_publishes_whatever_is_behind(acme):
    other = tenant_create(actor=OPERATOR, name=unique("other"))
    publish_tenants(str(acme.id))
    assert fresh(acme).published_revision == fresh(acme).revision
    assert fresh(other).published_revision == 0
    publish_tenants()
    assert fresh(other).published_revision == fresh(other).revision


def test_the_task_leaves_alone_what_is_up_to_date(acme):
    publish_tenants(str(acme.id))
    rows = list(BundleRevision.objects.filter(tenant_id=acme.id).values())
    publish_tenants(str(acme.id))
    assert list(BundleRevision.objects.filter(tenant_id=acme.id).values()) == rows


def test_a_tenant_without_a_recent_bundle_gets_new_windows(acme):
    publish_tenants(str(acme.id))
    old = fresh(acme).published_revision
    assert acme in tenants_behind(datetime.now(UTC) + RENEW_AFTER, RENEW_AFTER)
    assert acme not in tenants_behind(datetime.now(UTC), RENEW_AFTER)
    BundleRevision.objects.filter(tenant_id=acme.id).delete()
    publish_tenants(str(acme.id))
    assert fresh(acme).published_revision == fresh(acme).revision == old + 1


def test_a_removed_tenant_is_published_no_more(acme):
    publish_tenants(str(acme.id))
    before = fresh(acme).published_revision
    tenant_remove(actor=OPERATOR, tenant=acme)
    publish_tenants()
    assert fresh(acme).published_revision == before


def test_the_other_tasks_may_run_at_any_time():
    for task in (maintain_partitions, refresh_prices):
        task()
        task()
