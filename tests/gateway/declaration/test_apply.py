"""Applying a file: all or nothing, twice the same, and back again without a change."""

import secrets
from contextlib import contextmanager
from decimal import Decimal

import pytest
import yaml
from django.conf import settings
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as rules
from hypothesis import strategies as st

from audit.actor import command
from audit.models import Event
from gateway import credentials
from gateway.bundle import decode
from gateway.declaration.apply import apply_file, bring_about
from gateway.declaration.export import exported, policy_texts, render
from gateway.declaration.faults import DeclarationError
from gateway.envelope import key_pepper
from gateway.models import BundleRevision, Credential, Deployment, Price, Provider, Route
from gateway.selectors import own_price
from policies.models import Attachment, Policy
from policies.selectors import attachments
from tenants.models import App, Budget, RateLimit, Tenant, VirtualKey
from tenants.services.keys import virtual_key_issue
from tenants.services.tenants import tenant_suspend

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("apply")
SECRET = "sk-canary-9d0e"
ENVIRON = {"VENDOR_KEY": SECRET}

WHOLE = """\
version: 1
providers:
  - {name: vendor-X, dialect: openai, base_url: "https://v.example", credential: {env: VENDOR_KEY}}
  - {name: local-X, dialect: openai, base_url: "http://127.0.0.1:9001/v1", allow_private: true}
models:
  - name: small-X
    deployments:
      - {provider: vendor-X, model: gpt-4o-mini, region: us}
      - provider: local-X
        model: gpt-4o-mini
        priority: 1
        price: {currency: USD, input_per_million: "0", output_per_million: "0", per_request: "0.04"}
    price:
      currency: USD
      input_per_million: "0.15"
      output_per_million: "0.60"
      cached_input_per_million: "0.075"
      cache_write_per_million: "0.2"
      from: 2026-01-01
    max_output_tokens: 16384
    default_max_output_tokens: 2048
tenants:
  - name: acme-X
    timezone: Europe/Berlin
    evidence: strict
    tags: [team, feature]
    pii: {countries: [US, GB, DE], phone_regions: [US, DE], entities: [PERSON]}
    budgets:
      - name: month
        limit: "500.00"
        currency: USD
        window: month
        mode: hard
        alert_at: [0.5, 0.8, 1.0]
      - {name: per-user, limit: "5.00", currency: USD, window: day, mode: hard, group_by: [user]}
    limits:
      - {name: rpm, requests: 600, per: minute, burst: 100}
      - {name: tpm, tokens: 200000, per: minute}
      - {name: parallel, concurrency: 64}
    policies: [house-X]
    apps:
      - name: helpdesk
        models: [small-X]
        tier: null
        policies: [careful-X]
        budgets: [{name: own, limit: "9", currency: USD, window: total}]
        limits: []
policies:
  - {file: policies/house.yaml}
  - {file: policies/careful.yaml}
"""


@pytest.fixture
def site(tmp_path):
    """A folder with a file and its policies, whose names nobody else has."""
    return Site(tmp_path, secrets.token_hex(4))


class Site:
    def __init__(self, folder, mark):
        self.path, self.mark = folder / "gatehouse.yaml", mark
        self.path.parent.joinpath("policies").mkdir()
        self.write(WHOLE)
        self.policy("house")
        self.policy(
            "careful", "default: permit\nrules:\n  - {id: r, when: risk > 5, deny: {message: m}}"
        )

    def write(self, text, *changes):
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.path.write_text(text.replace("-X", f"-{self.mark}"), encoding="utf-8")

    def policy(self, name, body="default: permit"):
        path = self.path.parent / "policies" / f"{name}.yaml"
        path.write_text(f"policy: {name}-{self.mark}\n{body}\n", encoding="utf-8")

    def name(self, stem):
        return f"{stem}-{self.mark}"

    def apply(self, **options):
        return apply_file(self.path, options.pop("environ", ENVIRON), actor=OPERATOR, **options)

    def changes(self, **options):
        done = self.apply(**options)
        return {(one.op, one.kind, one.name.replace(f"-{self.mark}", "")) for one in done.changes}

    def refused(self, **options):
        with pytest.raises(DeclarationError) as error:
            self.apply(**options)
        problems = [fault.problem for fault in error.value.faults]
        return [(one.line, one.column, one.message) for one in problems]

    def at(self, fragment):
        """Return line and column at which the file says this."""
        before, found, _ = self.path.read_text().partition(fragment.replace("-X", f"-{self.mark}"))
        assert found
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    @property
    def tenant(self):
        return Tenant.objects.get(name=self.name("acme"), state="active")


def everything():
    """Return all that a file can change, and the events of it."""
    models = (Provider, Credential, Route, Deployment, Price, Policy, Attachment)
    owned = (Tenant, App, Budget, RateLimit, VirtualKey)
    rows = {model: list(model.objects.order_by("pk").values()) for model in models + owned}
    return rows, Event.objects.count()


def test_a_file_brings_about_what_it_says(site):
    assert site.changes() == {
        ("create", "provider", "vendor"),
        ("create", "provider", "local"),
        ("create", "model", "small"),
        ("create", "deployment", "small/vendor/gpt-4o-mini/us"),
        ("create", "deployment", "small/local/gpt-4o-mini"),
        ("create", "policy", "house"),
        ("create", "policy", "careful"),
        ("create", "tenant", "acme"),
        ("create", "budget", "acme/month"),
        ("create", "budget", "acme/per-user"),
        ("create", "limit", "acme/rpm"),
        ("create", "limit", "acme/tpm"),
        ("create", "limit", "acme/parallel"),
        ("create", "app", "acme/helpdesk"),
        ("create", "budget", "acme/helpdesk/own"),
    }
    tenant = site.tenant
    assert (tenant.timezone, tenant.tags) == ("Europe/Berlin", ["team", "feature"])
    assert (tenant.pii_countries, tenant.pii_phone_regions) == (["US", "GB", "DE"], ["US", "DE"])
    assert tenant.pii_entities == ["PERSON"]
    month = Budget.objects.get(tenant=tenant, name="month")
    assert (month.limit_micros, month.mode) == (500_000_000, "hard")
    assert month.alert_at == [Decimal("0.5"), Decimal("0.8"), Decimal(1)]
    rpm = RateLimit.objects.get(tenant=tenant, name="rpm")
    assert (rpm.kind, rpm.amount, rpm.per, rpm.burst) == ("requests", 600, "minute", 100)
    app = App.objects.get(tenant=tenant, name="helpdesk")
    assert app.models == [site.name("small")]
    held = Attachment.objects.filter(tenant=tenant).order_by("app")
    assert {(one.policy.name, one.app) for one in held} == {
        (site.name("house"), None),
        (site.name("careful"), app),
    }
    price = own_price(Route.objects.get(name=site.name("small")))
    assert price.cache_write_pico == 200_000
    assert (price.input_pico, price.output_pico, price.cached_input_pico) == (
        150_000,
        600_000,
        75_000,
    )
    assert price.effective_from.isoformat() == "2026-01-01T00:00:00+00:00"
    stored = credentials.active(Provider.objects.get(name=site.name("vendor")))
    assert credentials.open_sealed(stored) == SECRET


def test_what_was_applied_is_published(site):
    site.apply()
    tenant = site.tenant
    assert tenant.published_revision == tenant.revision
    assert BundleRevision.objects.filter(tenant_id=tenant.id, revision=tenant.revision).exists()


def test_the_same_file_a_second_time_changes_nothing(site):
    site.apply()
    before = everything()
    assert site.apply().changes == ()
    assert everything() == before


def test_a_dry_run_says_the_same_and_changes_nothing(site):
    before = everything()
    dry = site.apply(dry_run=True)
    assert not dry.applied
    assert everything() == before
    done = site.apply()
    assert done.applied
    assert [(one.op, one.kind, one.name) for one in dry.changes] == [
        (one.op, one.kind, one.name) for one in done.changes
    ]


def test_a_change_tells_what_it_was_and_what_it_is(site):
    site.apply()
    site.write(WHOLE, ('limit: "500.00"', 'limit: "600.00"'), ("timezone: Europe/Berlin", ""))
    found = {one.name.replace(f"-{site.mark}", ""): one for one in site.apply().changes}
    assert set(found) == {"acme", "acme/month"}
    assert found["acme"].fields == {"timezone": {"from": "Europe/Berlin", "to": "UTC"}}
    assert found["acme/month"].fields == {"limit": {"from": "500.00", "to": "600.00"}}
    assert Budget.objects.get(tenant=site.tenant, name="month").limit_micros == 600_000_000


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("window: day", "window: week"),
        ("group_by: [user]", "group_by: [app]"),
        ("window: day, mode", "window: day, alert_at: [1], mode"),
    ],
)
def test_a_budget_that_counts_otherwise_is_a_new_budget(site, old, new):
    site.apply()
    before = Budget.objects.get(tenant=site.tenant, name="per-user")
    site.write(WHOLE, (old, new))
    changes = site.changes()
    after = Budget.objects.get(tenant=site.tenant, name="per-user", is_active=True)
    if "alert_at" in new:
        assert changes == {("update", "budget", "acme/per-user")}
        assert after.id == before.id
    else:
        assert changes == {(op, "budget", "acme/per-user") for op in ("remove", "create")}
        assert after.id != before.id


def test_nothing_of_a_file_with_a_fault_is_applied(site):
    before = everything()
    site.write(WHOLE, ("concurrency: 64", "concurrency: 0"))
    line, column = site.at("0}\n    policies:")
    assert site.refused() == [(line, column, "0 is not between 1 and 4503599627370496")]
    assert everything() == before


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("when: true, route: smal-X", 'there is no model "smal-X" (rule r)'),
        ("when: 'app.name == \"helpdesc\"', risk: 1", 'there is no app "helpdesc" (rule r)'),
        ("when: 'tenant.name == \"acmee-X\"', risk: 1", 'there is no tenant "acmee-X" (rule r)'),
    ],
)
def test_a_name_that_is_neither_stored_nor_in_the_file_undoes_what_came_before(site, rule, said):
    before = everything()
    rule = rule.replace("X", site.mark)
    site.policy("careful", f"default: permit\nrules:\n  - {{id: r, {rule}}}")
    with pytest.raises(DeclarationError) as error:
        site.apply()
    (found,) = error.value.faults
    assert found.file.endswith("careful.yaml")
    assert (found.problem.line, found.problem.message) == (4, said.replace("X", site.mark))
    assert "did you mean" in found.problem.hint
    assert everything() == before


def test_a_text_may_name_what_the_same_file_declares(site):
    rules = (
        f'model.asked == "small-{site.mark}"',
        f'tenant.name == "acme-{site.mark}" && app.name == "helpdesk"',
    )
    body = "".join(f"  - {{id: r{n}, when: '{when}', risk: 1}}\n" for n, when in enumerate(rules))
    site.policy("careful", f"default: permit\nrules:\n{body}")
    assert ("create", "policy", "careful") in site.changes()


def test_case_09_a_declared_group_without_a_ceiling_is_refused_at_its_place(site):
    site.write(WHOLE, ("        mode: hard\n", "        mode: soft\n"))
    place = site.at("[user]")
    assert site.refused() == [
        (*place, "the hard budget per-user is grouped by what a client declares")
    ]


def test_two_routes_of_one_layer_are_refused(site):
    body = "default: permit\nrules:\n  - {id: r, when: true, route: small-X}".replace(
        "X", site.mark
    )
    site.policy("house", body)
    site.policy("careful", body)
    site.apply()
    before = everything()
    site.write(WHOLE, ("policies: [house-X]", "policies: [house-X, careful-X]"))
    ((line, column, said),) = site.refused()
    assert (line, column) == site.at("name: acme-X")
    assert "more than one route" in said
    assert everything() == before


def test_a_policy_whose_own_test_fails_is_refused_in_its_own_file(site):
    site.policy(
        "house", "default: permit\ntests:\n  - {name: t, given: {}, expect: {deny: default}}"
    )
    with pytest.raises(DeclarationError) as error:
        site.apply()
    (fault,) = error.value.faults
    assert fault.file.endswith("house.yaml")
    assert (fault.problem.line, 'the test "t" fails' in fault.problem.message) == (4, True)


# Credentials


def test_a_secret_that_changed_is_sealed_anew(site):
    site.apply()
    assert site.changes(environ={"VENDOR_KEY": "sk-new"}) == {("update", "provider", "vendor")}
    stored = credentials.active(Provider.objects.get(name=site.name("vendor")))
    assert credentials.open_sealed(stored) == "sk-new"


def test_a_secret_is_in_no_change(site):
    shown = str(site.apply().changes)
    assert SECRET not in shown
    assert "'to': 'set'" in shown


def test_keep_keeps_the_secret_and_needs_one(site):
    keep = ("credential: {env: VENDOR_KEY}", "credential: {keep: true}")
    site.write(WHOLE, keep)
    said = f"no credential of {site.name('vendor')} is stored for this address that could be kept"
    assert site.refused() == [(*site.at("{keep"), said)]
    site.write(WHOLE)
    site.apply()
    site.write(WHOLE, keep)
    assert site.apply(environ={}).changes == ()


ROUTING = (
    (
        "credential: {env: VENDOR_KEY}}",
        "credential: {env: VENDOR_KEY}, health_check: true,"
        " spare_credentials: [{label: b, env: VENDOR_KEY}]}",
    ),
    ("model: gpt-4o-mini, region: us}", "model: gpt-4o-mini, region: us, first_byte_s: 90}"),
    (
        "models:\n  - name: small-X",
        "models:\n  - {name: aside-X, fallbacks: [small-X]}\n  - name: small-X\n"
        "    strategy: latency\n    sticky: true\n    retries: 2\n    hedge_after_ms: 900\n"
        "    context_tokens: 8000\n    fallbacks: [aside-X]\n    cache_ttl_s: 60\n"
        "    cache_stale_s: 30\n    cache_entry_bytes: 5000\n    cache_hit_percent: 10\n"
        '    cache_vary: [user, "tag:team"]',
    ),
)


def test_how_a_model_is_routed_is_declared_stable_exported_and_undone(site):
    site.write(WHOLE, *ROUTING)
    site.apply()
    assert site.changes() == set()
    route = Route.objects.get(name=site.name("small"))
    assert (route.strategy, route.sticky, route.regional, route.retries) == (
        "latency",
        True,
        False,
        2,
    )
    assert (route.hedge_after_ms, route.context_tokens) == (900, 8000)
    assert (route.cache_ttl_s, route.cache_stale_s, route.cache_entry_bytes) == (60, 30, 5000)
    assert (route.cache_hit_percent, route.cache_vary) == (10, ["user", "tag:team"])
    assert route.fallbacks == [site.name("aside")]
    labels = Credential.objects.filter(provider__name=site.name("vendor")).values_list("label")
    assert sorted(labels) == [("",), ("b",)]
    with alone_with(site):
        text = render(exported())
        site.path.write_text(text)
        assert bring_about(site.path, {}, actor=OPERATOR, prune=True)[0] == ()
    assert "spare_credentials" in text
    site.write(WHOLE)
    assert site.changes() == {
        ("update", "provider", "vendor"),
        ("update", "model", "small"),
        ("update", "deployment", "small/vendor/gpt-4o-mini/us"),
    }
    assert Credential.objects.filter(provider__name=site.name("vendor")).count() == 1
    route.refresh_from_db()
    assert (route.strategy, route.fallbacks) == ("weighted", [])


def test_models_that_stand_in_for_each_other_are_pruned_together(site):
    site.write(WHOLE, *ROUTING)
    site.apply()
    text = "version: 1\n"
    with alone_with(site):
        site.path.write_text(text)
        bring_about(site.path, {}, actor=OPERATOR, prune=True)
        assert not Route.objects.filter(name__endswith=site.mark).exists()


def test_a_fallback_or_a_kept_credential_that_is_not_there_is_refused_at_its_place(site):
    (spare, _, stand_in) = ROUTING
    site.write(WHOLE, stand_in, ("fallbacks: [small-X]", "fallbacks: [smal-X]"))
    (said,) = site.refused()
    assert said[:2] == site.at("smal-X")
    site.write(WHOLE, spare, ("{label: b, env: VENDOR_KEY}", "{label: b, keep: true}"))
    (said,) = site.refused()
    assert said[:2] == site.at("{label: b")


def test_a_provider_without_a_credential_has_none(site):
    site.apply()
    site.write(WHOLE, (", credential: {env: VENDOR_KEY}", ""))
    assert site.changes() == {("update", "provider", "vendor")}
    assert credentials.active(Provider.objects.get(name=site.name("vendor"))) is None


def test_a_provider_that_moves_does_not_take_its_secret_along(site):
    site.apply()
    moved = ("https://v.example", "https://thief.example")
    site.write(WHOLE, moved, ("credential: {env: VENDOR_KEY}", "credential: {keep: true}"))
    assert "stored for this address" in site.refused()[0][2]


def test_a_providers_dialect_is_fixed(site):
    site.apply()
    site.write(
        WHOLE,
        (
            'local-X, dialect: openai, base_url: "http://127.0.0.1:9001/v1", allow_private: true',
            "local-X, dialect: simulated",
        ),
    )
    place = site.at("simulated")
    assert site.refused() == [(*place, "the provider speaks openai, and that is fixed")]


# Prices


def test_a_price_that_is_left_out_is_withdrawn(site):
    site.apply()
    start, end = WHOLE.index("    price:\n"), WHOLE.index("    max_output_tokens")
    site.write(WHOLE[:start] + WHOLE[end:])
    assert site.changes() == {("update", "model", "small")}
    route = Route.objects.get(name=site.name("small"))
    assert own_price(route) is None
    assert Price.objects.filter(route=route).count() == 2
    assert site.apply().changes == ()


def test_a_price_without_an_instant_holds_from_when_it_was_applied(site):
    site.write(WHOLE, ("      from: 2026-01-01\n", ""))
    site.apply()
    route = Route.objects.get(name=site.name("small"))
    first = own_price(route)
    assert site.apply().changes == ()
    site.write(WHOLE, ("      from: 2026-01-01\n", ""), ('"0.15"', '"0.20"'))
    assert site.changes() == {("update", "model", "small")}
    assert own_price(route).effective_from >= first.effective_from
    assert Price.objects.filter(pk=first.pk, input_pico=150_000).exists()


# What the file does not name


@contextmanager
def undone():
    """Do something in the whole installation, and undo it: other tests live there too."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_without_prune_what_is_not_named_stays(site):
    site.apply()
    site.write("version: 1\ntenants: [{name: acme-X, timezone: Europe/Berlin}]\n")
    site.apply()
    assert App.objects.filter(tenant=site.tenant, state="active").exists()
    assert Budget.objects.filter(tenant=site.tenant, is_active=True).count() == 3
    assert Attachment.objects.filter(tenant=site.tenant).count() == 2


def test_prune_leaves_what_the_file_names_and_nothing_else(site):
    site.apply()
    app = App.objects.get(tenant=site.tenant, name="helpdesk")
    key, _ = virtual_key_issue(
        actor=OPERATOR, app=app, name="k", pepper=key_pepper(settings.GATEHOUSE.kek)
    )
    site.write(
        "version: 1\n"
        "models: [{name: small-X}]\n"
        "tenants: [{name: acme-X, timezone: UTC, limits: [{name: par, concurrency: 1}]}]\n"
    )
    with undone():
        changes, _ = bring_about(site.path, ENVIRON, actor=OPERATOR, prune=True)
        assert list(Tenant.objects.exclude(state="removed")) == [site.tenant]
        assert [route.name for route in Route.objects.all()] == [site.name("small")]
        assert not Deployment.objects.exists()
        assert not Provider.objects.exists()
        assert not Credential.objects.exists()
        assert not attachments().exists()
        assert not Policy.objects.exclude(active=None).exists()
        assert not Budget.objects.filter(is_active=True).exists()
        assert [limit.name for limit in RateLimit.objects.filter(is_active=True)] == ["par"]
        assert App.objects.get(pk=app.pk).state == "removed"
        assert VirtualKey.objects.get(pk=key.pk).state == "revoked"
        again, _ = bring_about(site.path, ENVIRON, actor=OPERATOR, prune=True)
        assert again == ()
    removed = {(one.kind, one.name.replace(f"-{site.mark}", "")) for one in changes}
    assert {("app", "acme/helpdesk"), ("provider", "vendor"), ("policy", "house")} <= removed
    assert VirtualKey.objects.get(pk=key.pk).state == "active"


def test_what_prune_removes_cannot_be_named(site):
    site.apply()
    site.write("version: 1\ntenants: [{name: acme-X, policies: [house-X]}]\n")
    with undone(), pytest.raises(DeclarationError, match="there is no policy"):
        bring_about(site.path, ENVIRON, actor=OPERATOR, prune=True)


def test_a_suspended_tenant_is_not_resumed_by_a_file(site):
    site.apply()
    tenant_suspend(actor=OPERATOR, tenant=site.tenant)
    site.write(WHOLE, ("timezone: Europe/Berlin", "timezone: UTC"))
    assert site.changes() == {("update", "tenant", "acme")}
    assert Tenant.objects.get(name=site.name("acme")).state == "suspended"


def test_a_tenant_that_was_broken_before_stands_in_no_files_way(site):
    site.apply()
    month = Budget.objects.filter(tenant=site.tenant, name="month")
    site.write("version: 1\nplatform: {policies: [careful-X]}\n")
    with undone():
        month.update(mode="soft")
        with pytest.raises(DeclarationError, match="does not compile: the hard budget"):
            bring_about(site.path, ENVIRON, actor=OPERATOR, prune=False)
    with undone():
        month.update(mode="soft")
        Tenant.objects.filter(pk=site.tenant.pk).update(published_revision=0)
        changes, _ = bring_about(site.path, ENVIRON, actor=OPERATOR, prune=False)
        assert [change.kind for change in changes] == ["platform"]


# Export


@pytest.fixture
def emptied(tmp_path):
    """Have nothing in the installation; all is back after the test."""
    path = tmp_path / "empty.yaml"
    path.write_text("version: 1\n")
    with undone():
        bring_about(path, {}, actor=OPERATOR, prune=True)
        yield


@contextmanager
def alone_with(site):
    """Have nothing in the installation but what the site's file says."""
    with undone():
        bring_about(site.path, ENVIRON, actor=OPERATOR, prune=True)
        yield


TRANSFORMING = """\
        tier: null
        transformation:
          - endpoints: [chat.completions]
            mapping:
              format: {required: [message], properties: {"on: off": {pattern: "^a, b$"}}}
              to: {messages: "[{role: 'user', content: message}]"}
            defaults: {/temperature: 0.5, "/metadata/a, b": "line\\nline\\u2028"}
            headers: {answer: {x-notice: "yes"}}
"""


def test_what_becomes_of_requests_is_declared_stable_exported_and_undone(site):
    shaped = (
        (
            "    max_output_tokens: 16384\n",
            "    max_output_tokens: 16384\n    transformation:\n"
            "      - {endpoints: [responses], clamp: {/temperature: {max: 1}}}\n",
        ),
        ("    evidence: strict\n", "    evidence: strict\n    default_model: small-X\n"),
        ("        tier: null\n", TRANSFORMING),
        ("    tags:", "    tier_models: {gold: small-X}\n    tags:"),
    )
    site.write(WHOLE, *shaped)
    site.apply()
    tenant = site.tenant
    assert tenant.default_model == site.name("small")
    assert tenant.tier_models == {"gold": site.name("small")}
    (step,) = App.objects.get(tenant=tenant).transformation
    assert step["defaults"] == {"/temperature": 0.5, "/metadata/a, b": "line\nline\u2028"}
    (step,) = Route.objects.get(name=site.name("small")).transformation
    assert step["clamp"] == {"/temperature": {"max": 1}}
    stored = BundleRevision.objects.filter(tenant_id=tenant.id).latest("revision")
    bundle = decode(bytes(stored.body), stored.checksum)
    assert bundle.default_model == site.name("small")
    assert bundle.tier_models == {"gold": site.name("small")}
    assert all(app.transformation for app in bundle.apps.values())
    assert bundle.routes[site.name("small")].transformation
    assert site.changes() == set()
    with alone_with(site):
        text = render(exported())
        site.path.write_text(text, encoding="utf-8")
        assert site.changes() == set()
        assert "default_model" in text
    site.write(WHOLE)
    assert site.changes() == {
        ("update", "model", "small"),
        ("update", "tenant", "acme"),
        ("update", "app", "acme/helpdesk"),
    }
    with alone_with(site):
        assert not any(key in render(exported()) for key in ("transformation", "tier_models"))


def test_what_is_exported_applies_without_a_change(site):
    with alone_with(site):
        tenant_suspend(actor=OPERATOR, tenant=site.tenant)
        site.path.write_text(render(exported()), encoding="utf-8")
        before = everything()
        changes, _ = bring_about(site.path, {}, actor=OPERATOR, prune=True)
        assert changes == ()
        assert everything() == before


def test_what_is_exported_brings_it_all_about_elsewhere(site):
    with alone_with(site):
        text = render(exported())
        site.path.write_text("version: 1\n")
        bring_about(site.path, {}, actor=OPERATOR, prune=True)
        site.path.write_text(text.replace("{keep: true}", "{env: VENDOR_KEY}"))
        bring_about(site.path, ENVIRON, actor=OPERATOR, prune=True)
        assert render(exported()) == text


def test_what_is_exported_says_all_that_was_applied(site):
    with alone_with(site):
        text = render(exported())
        texts = dict(policy_texts())
    said = yaml.safe_load(text)
    assert (said["version"], said["platform"]) == (1, {"policies": []})
    vendor = said["providers"][1]
    assert (vendor["name"], vendor["credential"]) == (site.name("vendor"), {"keep": True})
    assert SECRET not in text
    (small,) = said["models"]
    assert small["price"]["input_per_million"] == "0.15"
    assert [one["provider"] for one in small["deployments"]] == [
        site.name("vendor"),
        site.name("local"),
    ]
    (acme,) = said["tenants"]
    assert [one["name"] for one in acme["budgets"]] == ["month", "per-user"]
    assert acme["apps"][0]["budgets"][0]["limit"] == "9.00"
    assert texts[site.name("house")].startswith("policy: house-")


# Whatever one may say, said twice it changes nothing, and exported it says the same.

names = st.sampled_from(["a", "on", "no", "1e3", "0x1f", "0o17", "x.y-z_0", "null", "true", "12"])
amounts = st.integers(1, 10**9).map(lambda micros: f"{Decimal(micros) / 1_000_000:f}")
budgets = st.lists(
    st.fixed_dictionaries(
        {
            "name": names,
            "limit": amounts,
            "currency": st.just("USD"),
            "window": st.sampled_from(["hour", "day", "week", "month", "total"]),
            "mode": st.just("soft"),
        },
        optional={
            "group_by": st.lists(st.sampled_from(["user", "app", "key", "model"]), unique=True),
            "alert_at": st.lists(st.sampled_from([0.1, 0.5, 0.875, 1]), unique=True),
        },
    ),
    unique_by=lambda one: str(one["name"]),
    max_size=3,
)
limits = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "name": names,
                "tokens": st.integers(1, 2**52),
                "per": st.sampled_from(["second", "day"]),
            },
            optional={"burst": st.integers(1, 99)},
        ),
        st.fixed_dictionaries({"name": names, "concurrency": st.integers(1, 9)}),
    ),
    unique_by=lambda one: str(one["name"]),
    max_size=3,
)
apps = st.lists(
    st.fixed_dictionaries(
        {"name": names},
        optional={
            "tier": st.none() | st.sampled_from(["", "gold", "~", "a: b", "# no", "ü", '"']),
            "budgets": budgets,
            "limits": limits,
        },
    ),
    unique_by=lambda one: str(one["name"]),
    max_size=2,
)
tenants = st.fixed_dictionaries(
    {"name": st.just("acme-X")},
    optional={
        "timezone": st.sampled_from(["UTC", "Asia/Tokyo"]),
        "tags": st.lists(names, unique=True),
        "pii": st.fixed_dictionaries({}, optional={"countries": st.just(["SE"])}),
        "budgets": budgets,
        "limits": limits,
        "apps": apps,
    },
)


@rules(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tenants, tenants)
def test_whatever_is_declared_is_stable_and_survives_its_export(tmp_path, emptied, first, second):
    path, mark = tmp_path / "any.yaml", secrets.token_hex(4)

    def run(text):
        path.write_text(text.replace("-X", f"-{mark}"), encoding="utf-8")
        return bring_about(path, {}, actor=OPERATOR, prune=False)[0]

    with undone():
        for tenant in (first, second):
            text = render({"version": 1, "tenants": [tenant]})
            run(text)
            assert run(text) == ()
        assert run(render(exported())) == ()
