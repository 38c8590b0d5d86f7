"""Every service writes exactly one event, under its own name, in the transaction of its change."""

import datetime
import inspect
import pkgutil
import secrets
import uuid
from decimal import Decimal
from importlib import import_module

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

import gateway.services
import policies.services
import tenants.services
from audit.actor import Actor, command
from audit.exports.wanted import ExportWanted
from audit.models import Event
from gateway import bundle
from gateway.envelope import key_pepper
from gateway.jobs.run import run
from gateway.models import Deployment
from gateway.services.backtests import BacktestWanted, backtest_create
from gateway.services.exports import export_create
from gateway.services.guards import guard_create, guard_secret_set
from gateway.services.jobs import job_create
from gateway.services.marks import MarkWanted
from gateway.services.prices import price_set
from gateway.services.providers import (
    credential_set,
    provider_create,
)
from gateway.services.routes import (
    deployment_create,
    route_create,
)
from gateway.services.services import service_create, service_credential_set
from policies.models import Emergency
from policies.services.activations import policy_activate, policy_version_freeze
from policies.services.attachments import policy_attach
from policies.services.drafts import draft_create
from policies.services.emergencies import policy_emergency_publish
from policies.services.exemptions import exemption_grant
from policies.services.policies import policy_create, policy_publish
from policies.services.reviews import review_request, review_rule_set
from policies.services.rollouts import rollout_start
from policies.services.schedules import schedule_create
from policies.substitution import Place
from tenants.models import Role, User
from tenants.permissions import ACTIONS
from tenants.services.apps import app_create, app_suspend
from tenants.services.budgets import budget_create
from tenants.services.keys import virtual_key_issue
from tenants.services.limits import rate_limit_create
from tenants.services.people import (
    membership_grant,
    user_create,
)
from tenants.services.tenants import (
    tenant_create,
    tenant_suspend,
)
from tests.gateway.call_records import World

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
SECRET = "sk-canary-0123456789"
PASSWORD = "correct horse battery staple"
PRICE = bundle.Price("USD", 150_000, 600_000, None, 0, 1_700_000_000)

SERVICE = {
    "base_url": "https://a.example",
    "operations": [{"name": "search", "method": "POST", "path": "/search", "body": "json"}],
}

GUARD = {
    "url": "http://127.0.0.1:9/inspect",
    "allow_private": True,
    "kinds": ["PROJECT_NAME"],
    "phases": ["request"],
}

WANTED = ExportWanted(since=timezone.now() - datetime.timedelta(1), until=timezone.now())
ONE_DAY = {"first": "2026-01-01", "last": "2026-01-01"}

MADE_OUTSIDE = {"owner_create", "session_close", "session_open", "session_refuse"}
"""Services whose permission is something else than the matrix: the set-up link, a password."""


def unique(stem):
    return f"{stem}-{secrets.token_hex(4)}"


def services():
    """Return every function that takes an actor in a services module, by name."""
    modules = []
    for package in (policies.services, tenants.services, gateway.services):
        modules += [
            import_module(f"{package.__name__}.{info.name}")
            for info in pkgutil.iter_modules(package.__path__)
        ]
    return {
        name: function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and is_service(name, function)
    }


def is_service(name, function):
    return not name.startswith("_") and "actor" in inspect.signature(function).parameters


def action_of(name):
    noun, _, verb = name.rpartition("_")
    return f"{noun}.{verb}"


def tenant():
    return tenant_create(actor=OPERATOR, name=unique("tenant"))


def app():
    return app_create(actor=OPERATOR, tenant=tenant(), name="app")


def key():
    issued, _ = virtual_key_issue(actor=OPERATOR, app=app(), name="key", pepper=pepper())
    return issued


def budget():
    return budget_create(
        actor=OPERATOR,
        tenant=tenant(),
        name="month",
        limit_micros=5,
        currency="USD",
        window="month",
        alert_at=[Decimal("0.5")],
    )


def limit():
    return rate_limit_create(
        actor=OPERATOR, tenant=tenant(), name="rpm", kind="requests", amount=5, per="minute"
    )


def user():
    return user_create(actor=OPERATOR, email=f"{unique('ann')}@example.com", password=PASSWORD)


def membership():
    granted = membership_grant(actor=OPERATOR, tenant=tenant(), user=user(), role=Role.OWNER)
    membership_grant(actor=OPERATOR, tenant=granted.tenant, user=user(), role=Role.OWNER)
    return granted


def provider(**others):
    terms = {"dialect": "openai", "base_url": "https://api.openai.com/v1", **others}
    return provider_create(actor=OPERATOR, name=unique("provider"), **terms)


def simulated():
    return provider(dialect="simulated", base_url="")


def credentialed():
    made = provider()
    credential_set(actor=OPERATOR, provider=made, secret=SECRET)
    return made


def route():
    return route_create(actor=OPERATOR, name=unique("model"))


def deployment():
    return deployment_create(
        actor=OPERATOR, route=route(), provider=provider(), model="gpt-4o-mini"
    )


def priced():
    made = route()
    price_set(actor=OPERATOR, of=made, price=PRICE)
    return made


def new_to_the_book():
    """Make a deployment of which the price book has not been asked yet."""
    Deployment.objects.create(route=route(), provider=provider(), model="gpt-4o-mini")
    return {}


def policy():
    return policy_create(actor=OPERATOR, name=unique("policy"))


def text(made):
    return f"policy: {made.name}\ndefault: permit\n"


def published():
    made = policy()
    policy_publish(actor=OPERATOR, policy=made, source=text(made))
    return made


def draft():
    return draft_create(actor=command("author"), policy=published())


def review():
    return review_request(actor=command("author"), draft=draft())


def second():
    """Return a version that is frozen beside the active one of its policy."""
    made = published()
    source = text(made).replace("permit", "deny")
    return policy_version_freeze(actor=OPERATOR, policy=made, source=source)


def superseded():
    made = second()
    first = made.policy.active
    policy_activate(actor=OPERATOR, version=made)
    return first


def rollout():
    made = second()
    return rollout_start(actor=OPERATOR, policy=made.policy, version=made)


def schedule():
    made = second()
    at = timezone.now() + datetime.timedelta(hours=1)
    return schedule_create(actor=OPERATOR, policy=made.policy, version=made, at=at)


def due():
    made = schedule()
    made.at = timezone.now()
    made.save()
    return made


def to_exempt():
    held = attachment()
    return {
        "tenant": held.tenant,
        "name": unique("exemption"),
        "rules": [f"{held.policy.name}/default"],
        "expires_at": timezone.now() + datetime.timedelta(days=1),
        "reason": "because",
    }


def asked():
    made = exemption_grant(actor=OPERATOR, **to_exempt())
    made.holds_since, made.authors = None, []
    made.save()
    return made


def strict(made):
    return {"policy": made, "source": text(made).replace("permit", "deny")}


def overdue():
    made = published()
    policy_emergency_publish(actor=OPERATOR, reason="a leak", hours=1, **strict(made))
    Emergency.objects.filter(policy=made).update(expires_at=timezone.now())
    return Emergency.objects.get(policy=made)


def leaving():
    made = attachment()
    made.detach_asked_by, made.detach_asked_at = "somebody", timezone.now()
    made.save()
    return made


def attachment():
    return policy_attach(actor=OPERATOR, policy=published(), tenant=tenant())


def pepper():
    return key_pepper(settings.GATEHOUSE.kek)


def publish(made):
    return {"policy": made, "source": text(made)}


# For each service: what it needs, made before its event is counted.
CASES = {
    "app_create": lambda: {"tenant": tenant(), "name": "app"},
    "app_remove": lambda: {"app": app()},
    "app_resume": lambda: {"app": suspended_app()},
    "app_suspend": lambda: {"app": app()},
    "app_update": lambda: {"app": app(), "tier": "gold"},
    "backtest_cancel": lambda: {"backtest": backtest()},
    "backtest_create": lambda: {"tenant": tenant(), "wanted": text_to_try()},
    "budget_create": lambda: {
        "tenant": tenant(),
        "name": "b",
        "limit_micros": 5,
        "currency": "EUR",
        "window": "day",
    },
    "budget_remove": lambda: {"budget": budget()},
    "budget_update": lambda: {"budget": budget(), "limit_micros": 6},
    "cache_purge": lambda: {"tenant": tenant()},
    "call_explain": lambda: {"tenant": tenant(), "call_id": uuid.uuid4()},
    "credential_remove": lambda: {"provider": credentialed()},
    "credential_set": lambda: {"provider": provider(), "secret": SECRET},
    "deployment_create": lambda: {"route": route(), "provider": simulated(), "model": "m"},
    "deployment_remove": lambda: {"deployment": deployment()},
    "deployment_update": lambda: {"deployment": deployment(), "weight": 7},
    "draft_create": lambda: {"policy": published()},
    "draft_discard": lambda: {"draft": draft()},
    "draft_update": lambda: {"draft": draft(), "revision": 1, "source": "policy: other\n"},
    "exemption_approve": lambda: {"exemption": asked()},
    "exemption_grant": to_exempt,
    "exemption_revoke": lambda: {"exemption": exemption_grant(actor=OPERATOR, **to_exempt())},
    "export_create": lambda: {"tenant": tenant(), "wanted": WANTED},
    "export_download": lambda: {"export": ready(), "part": "manifest.json"},
    "guard_create": lambda: {"tenant": tenant(), "name": "names", "secret": SECRET, **GUARD},
    "guard_remove": lambda: {"guard": guard()},
    "guard_secret_retire": lambda: {"guard": renewed()},
    "guard_secret_set": lambda: {"guard": guard(), "secret": "another-secret-canary"},
    "guard_test": lambda: {"guard": guard()},
    "guard_update": lambda: {"guard": guard(), "deadline_ms": 50},
    "job_cancel": lambda: {"job": job()},
    "job_create": lambda: {"tenant": tenant(), "kind": "rollup", "terms": ONE_DAY},
    "mark_create": lambda: {**marked()},
    "membership_grant": lambda: {"tenant": tenant(), "user": user(), "role": Role.ANALYST},
    "membership_revoke": lambda: {"membership": membership()},
    "oauth_application_create": lambda: {
        "tenant": tenant(),
        "name": "bot",
        "grant": "client-credentials",
        "scopes": ["keys:read"],
        "roles": ["auditor"],
    },
    "oauth_application_remove": lambda: {"application": application()},
    "oauth_application_rotate": lambda: {"application": application()},
    "owner_create": lambda: {"email": f"{unique('own')}@example.com", "password": PASSWORD},
    "policy_activate": lambda: {"version": second()},
    "policy_attach": lambda: {"policy": published(), "tenant": tenant()},
    "policy_create": lambda: {"name": unique("policy")},
    "policy_detach": lambda: {"attachment": attachment()},
    "policy_detach_withdraw": lambda: {"attachment": leaving()},
    "policy_emergency_expire": lambda: {"emergency": overdue()},
    "policy_emergency_publish": lambda: {**strict(published()), "hours": 1},
    "policy_import": lambda: {"source": f"policy: {unique('policy')}\n"},
    "policy_publish": lambda: publish(policy()),
    "policy_retire": lambda: {"policy": published()},
    "policy_rollback": lambda: {"version": superseded()},
    "policy_version_freeze": lambda: publish(policy()),
    "price_book_refresh": new_to_the_book,
    "price_set": lambda: {"of": route(), "price": PRICE},
    "price_withdraw": lambda: {"of": priced()},
    "provider_create": lambda: {"name": unique("provider"), "dialect": "simulated"},
    "provider_remove": lambda: {"provider": credentialed()},
    "provider_test": lambda: {"provider": simulated()},
    "provider_update": lambda: {
        "provider": provider(),
        "base_url": "http://127.0.0.1:9/v1",
        "allow_private": True,
    },
    "rate_limit_create": lambda: {
        "tenant": tenant(),
        "name": "parallel",
        "kind": "concurrency",
        "amount": 3,
    },
    "rate_limit_remove": lambda: {"limit": limit()},
    "rate_limit_update": lambda: {"limit": limit(), "amount": 9},
    "review_approve": lambda: {"review": review()},
    "review_reject": lambda: {"review": review()},
    "review_request": lambda: {"draft": draft()},
    "review_rule_set": lambda: {"tenant": tenant()},
    "review_rule_unset": lambda: {"rule": review_rule_set(actor=OPERATOR, tenant=tenant())},
    "review_withdraw": lambda: {"review": review()},
    "rollout_promote": lambda: {"rollout": rollout()},
    "rollout_start": lambda: {"policy": (made := second()).policy, "version": made},
    "rollout_stop": lambda: {"rollout": rollout()},
    "rollout_update": lambda: {"rollout": rollout(), "percent": 5},
    "route_create": lambda: {"name": unique("model")},
    "route_remove": lambda: {"route": deployment().route},
    "route_update": lambda: {"route": route(), "default_max_output_tokens": 5},
    "schedule_cancel": lambda: {"schedule": schedule()},
    "schedule_create": lambda: {
        "policy": (made := second()).policy,
        "version": made,
        "at": timezone.now() + datetime.timedelta(hours=1),
    },
    "schedule_perform": lambda: {"schedule": due()},
    "service_create": lambda: {"name": unique("service"), **SERVICE},
    "service_credential_remove": lambda: {"service": sealed_service()},
    "service_credential_set": lambda: {"service": service(), "secret": SECRET},
    "service_remove": lambda: {"service": sealed_service()},
    "service_update": lambda: {"service": sealed_service(), "base_url": "https://b.example"},
    "session_close": lambda: {"user": user()},
    "session_open": lambda: {"user": user()},
    "session_refuse": lambda: {"email": user().email},
    "tenant_create": lambda: {"name": unique("tenant"), "timezone": "Asia/Tokyo"},
    "tenant_remove": lambda: {"tenant": key().tenant},
    "tenant_resume": lambda: {"tenant": suspended_tenant()},
    "tenant_suspend": lambda: {"tenant": tenant()},
    "tenant_update": lambda: {"tenant": tenant(), "timezone": "Europe/Berlin"},
    "user_create": lambda: {"email": f"{unique('bob')}@example.com", "password": PASSWORD},
    "user_remove": lambda: {"user": user()},
    "virtual_key_issue": lambda: {"app": app(), "name": "k", "pepper": pepper()},
    "virtual_key_revoke": lambda: {"key": key()},
    "virtual_key_rotate": lambda: {"key": key(), "pepper": pepper(), "overlap_s": 60},
}


def application():
    made, _ = services()["oauth_application_create"](
        actor=OPERATOR, **CASES["oauth_application_create"]()
    )
    return made


def guard():
    return guard_create(
        actor=OPERATOR, tenant=tenant(), name=unique("guard"), secret=SECRET, **GUARD
    )


def renewed():
    made = guard()
    guard_secret_set(actor=OPERATOR, guard=made, secret="another-secret-canary")
    return made


def service():
    return service_create(actor=OPERATOR, name=unique("service"), **SERVICE)


def sealed_service():
    made = service()
    service_credential_set(actor=OPERATOR, service=made, secret=SECRET)
    return made


def job():
    return job_create(actor=OPERATOR, tenant=tenant(), kind="rollup", terms=ONE_DAY)


def marked():
    world = World(unique)
    records = world.call().with_cards().refused().rows
    subject = f"{world.layered[1].name}/no-cards"
    wanted = MarkWanted("rule", subject, "false_positive")
    return {"tenant": world.tenant, "records": records, "wanted": wanted}


def text_to_try():
    until = timezone.now()
    place = Place("tenant")
    return BacktestWanted("policy: draft\n", until - datetime.timedelta(1), until, place)


def backtest():
    return backtest_create(actor=OPERATOR, tenant=tenant(), wanted=text_to_try(), send=False)


def ready():
    export = export_create(actor=OPERATOR, tenant=tenant(), wanted=WANTED, send=False)
    run(export.job_id, "tests")
    return export


def suspended_app():
    made = app()
    app_suspend(actor=OPERATOR, app=made)
    return made


def suspended_tenant():
    made = tenant()
    tenant_suspend(actor=OPERATOR, tenant=made)
    return made


def newest_event():
    """Return the number of the last event; 0 where none was written yet."""
    return Event.objects.aggregate(newest=Max("id", default=0))["newest"]


def test_every_service_is_walked():
    assert set(CASES) == set(services())


def test_every_service_is_an_action_that_somebody_may_do():
    assert {action_of(name) for name in services()} - ACTIONS == {
        action_of(name) for name in MADE_OUTSIDE
    }


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_service_writes_one_event_with_its_name(name):
    arguments = prepared(name)
    last = newest_event()
    services()[name](**{"actor": OPERATOR, "reason": "because", **arguments})
    events = Event.objects.filter(id__gt=last)
    assert [event.action for event in events] == [action_of(name)]
    (event,) = events
    assert (event.actor_kind, event.actor) == ("command", "tests")
    assert event.object_kind
    assert event.object_name
    assert event.before or event.after
    assert SECRET not in str((event.before, event.after, event.object_name))
    assert PASSWORD not in str((event.before, event.after))


@pytest.mark.parametrize("name", sorted(set(CASES) - {"provider_test"}))
def test_the_event_goes_with_its_change(name):
    arguments = prepared(name)
    last = newest_event()
    with transaction.atomic():
        services()[name](**with_reason(name, arguments))
        transaction.set_rollback(True)
    assert not Event.objects.filter(id__gt=last).exists()


@pytest.mark.parametrize("name", sorted(set(CASES) - MADE_OUTSIDE))
def test_a_stranger_is_refused_by_every_service(name):
    arguments = prepared(name)
    last = newest_event()
    elsewhere = {str(tenant().id): frozenset({"auditor"})}
    charlie = Actor("user", "charlie", "charlie", memberships=elsewhere)
    with pytest.raises(PermissionDenied):
        services()[name](**with_reason(name, arguments) | {"actor": charlie})
    assert [event.action for event in Event.objects.filter(id__gt=last)] == ["tenant.create"]


def with_reason(name, arguments):
    """Return what the service is called with; some demand a reason."""
    demanded = inspect.signature(services()[name]).parameters["reason"]
    is_optional = demanded.default is not inspect.Parameter.empty
    reason = {} if is_optional else {"reason": "because"}
    return {"actor": OPERATOR, **reason, **arguments}


def prepared(name):
    if name == "owner_create":
        # Nobody may own the installation yet; what other tests made of it is theirs no more.
        User.objects.filter(is_superuser=True).update(is_superuser=False)
    return CASES[name]()


def test_services_take_keywords_only():
    for name, function in services().items():
        kinds = {one.kind for one in inspect.signature(function).parameters.values()}
        assert kinds <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}, name
