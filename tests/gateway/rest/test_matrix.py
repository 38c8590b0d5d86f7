"""S1 and S2: each role at each address, on each object and field. Drawn from the resolver.

alice owns acme, bob has one role in it, charlie owns another tenant and tries every door, mallory
has lost her access. Nothing is changed here: what may be done is asked for so that it fails late.
"""

import datetime
import re
import secrets
import uuid
from dataclasses import dataclass

import pytest
from django.urls import get_resolver
from django.utils import timezone
from oauth2_provider.models import get_access_token_model

from audit.exports.wanted import ExportWanted, as_json
from audit.models import Event, Export
from gateway import urls
from gateway.access import permission_of
from gateway.api.router import RESOURCES, Router
from gateway.models import (
    CachePurge,
    Deployment,
    Guard,
    Job,
    OAuthApplication,
    Price,
    Provider,
    Route,
    Service,
)
from gateway.rest import throttle
from gateway.scopes import SCOPES
from policies.models import Attachment, Backtest
from policies.services.activations import policy_version_freeze
from policies.services.drafts import draft_create
from policies.services.exemptions import exemption_grant
from policies.services.reviews import review_request, review_rule_set
from policies.services.rollouts import rollout_start
from policies.services.schedules import schedule_create
from tenants.api.belonging import OfTenant
from tenants.models import App, Budget, Membership, RateLimit, VirtualKey
from tenants.permissions import ACTIONS, MATRIX
from tenants.sign_in import Pace
from tests import estate
from tests.gateway.call_records import World
from tests.management import OPERATOR, Api, application, as_itself, owner_of_all

pytestmark = pytest.mark.usefixtures("db")

LATE = {"no_such_field": 1}
JANUARY = ExportWanted(
    since=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    until=datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC),
)
ABSENT = {"if_match": '"never"'}


@dataclass(frozen=True)
class Door:
    """One method of one address: NOUN, NOUN/ID or either with a verb behind."""

    noun: str
    method: str
    resource: type
    name: str
    detail: bool
    tail: str

    def __str__(self):
        return f"{self.method} {self.noun}{'/ID' if self.detail else ''}{self.tail}"

    @property
    def access(self):
        return self.resource.access.get(self.name)

    def address(self, identity=""):
        middle = f"/{identity}" if self.detail else ""
        return f"{self.noun}{middle}{self.tail}/"

    def knock(self, api, identity="", body=LATE):
        sends = self.method in ("post", "put", "patch")
        return api(self.method, self.address(identity), body if sends else None, **ABSENT)


def doors():
    found = []
    (api,) = [entry for entry in get_resolver().url_patterns if str(entry.pattern) == "api/v1/"]
    for entry in api.url_patterns:
        view, pattern = entry.callback, str(entry.pattern)
        identity = f"/(?P<pk>{view.cls.lookup_value_regex})"
        noun, *tail = pattern.replace(identity, "").strip("^$?/").split("/")
        last = "".join(f"/{part}" for part in tail)
        for method, name in view.actions.items():
            found.append(Door(noun, method, view.cls, name, identity in pattern, last))
    return found


DOORS = doors()
DETAILS = [door for door in DOORS if door.detail]
WRITES = [door for door in DOORS if door.name in door.resource.bodies]


class Acme:
    """A tenant with one object of each noun."""

    def __init__(self, unique):
        world = self.world = World(unique)
        self.tenant, tenant = world.tenant, world.tenant
        route = Route.objects.create(name=unique("model"))
        app = App.objects.create(tenant=tenant, name=unique("app"), models=[route.name])
        key = VirtualKey.objects.create(
            tenant=tenant,
            app=app,
            name="k",
            public_id=secrets.token_hex(5),
            digest=secrets.token_bytes(32),
        )
        policy = estate.attach(estate.OPEN, tenant=tenant)
        provider = Provider.objects.create(
            name=unique("vendor"), dialect="openai", base_url="https://api.example.org/v1"
        )
        deployment = Deployment.objects.create(route=route, provider=provider, model="m")
        event = Event.objects.filter(tenant_id=tenant.id).first()
        alice = world.person("owner")
        day = {"first": "2026-01-01", "last": "2026-01-01"}
        export = Export.objects.create(
            tenant_id=tenant.id, tenant=tenant.name, filter=as_json(JANUARY), job_id=uuid.uuid4()
        )
        cycle = self.cycle(policy, tenant)
        self.objects = {
            **cycle,
            "apps": app,
            "attachments": Attachment.objects.get(policy=policy),
            "backtests": Backtest.objects.create(
                tenant=tenant,
                policy="draft",
                source="policy: draft",
                hash="0" * 64,
                since=JANUARY.since,
                until=JANUARY.until,
                owner="ann",
                job_id=uuid.uuid4(),
            ),
            "budgets": Budget.objects.create(
                tenant=tenant, name="month", limit_micros=5, currency="USD", window="month"
            ),
            "cache-purges": CachePurge.objects.create(tenant=tenant, revision=1),
            "calls": world.call().with_cards().refused(),
            "deployments": deployment,
            "events": event,
            "exports": export,
            "guards": Guard.objects.create(
                tenant=tenant,
                name="names",
                url="http://127.0.0.1:9/",
                allow_private=True,
                kinds=["PROJECT_NAME"],
                phases=["request"],
            ),
            "jobs": Job.objects.create(kind="rollup", tenant=tenant, owner="ann", terms=day),
            "keys": key,
            "limits": RateLimit.objects.create(
                tenant=tenant, name="rpm", kind="requests", amount=5, per="minute"
            ),
            "members": Membership.objects.get(user=alice),
            "oauth-applications": application(tenant, "auditor")[0],
            "people": alice,
            "policies": policy,
            "prices": Price.objects.create(
                route=route,
                currency="USD",
                input_pico=1,
                output_pico=1,
                effective_from="2026-01-01T00:00:00Z",
                source="tests",
            ),
            "providers": provider,
            "routes": route,
            "services": Service.objects.create(
                name=unique("service"), base_url="https://db.example", operations=[]
            ),
            "rules": tenant,
            "samples": tenant,
            "tenants": tenant,
            "usage": tenant,
        }
        self.alice = Api(alice)

    @staticmethod
    def cycle(policy, tenant):
        """Make one object of each noun of a policy's life cycle."""
        text = f"policy: {policy.name}\ndefault: deny\n"
        version = policy_version_freeze(actor=OPERATOR, policy=policy, source=text)
        draft = draft_create(actor=OPERATOR, policy=policy, source=text)
        later = timezone.now() + datetime.timedelta(days=1)
        return {
            "drafts": draft,
            "reviews": review_request(actor=OPERATOR, draft=draft),
            "review-rules": review_rule_set(actor=OPERATOR, tenant=tenant),
            "rollouts": rollout_start(actor=OPERATOR, policy=policy, version=version),
            "schedules": schedule_create(actor=OPERATOR, policy=policy, version=version, at=later),
            "exemptions": exemption_grant(
                actor=OPERATOR,
                tenant=tenant,
                name="for-a-day",
                rules=[f"{policy.name}/default"],
                expires_at=later,
                reason="tests",
            ),
        }

    def id(self, noun):
        return self.objects[noun].id


@pytest.fixture(scope="module", autouse=True)
def unhurried():
    """Nobody is told to wait here: a few people ask for everything that there is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throttle, "ACTOR", Pace(10**6, datetime.timedelta(microseconds=1)))
        yield


@pytest.fixture(scope="module")
def acme(db):
    return Acme(lambda stem: f"{stem}-{secrets.token_hex(4)}")


@pytest.fixture(scope="module")
def charlie(db):
    return Api(Acme(lambda stem: f"{stem}-{secrets.token_hex(4)}").world.person("owner"))


@pytest.fixture(scope="module")
def root(db):
    return Api(owner_of_all(lambda stem: f"{stem}-{secrets.token_hex(4)}"))


def may(roles, access):
    actions = {access.action, *access.others}
    return any(not actions.isdisjoint(MATRIX[role]) for role in roles)


def reads(roles, door):
    return may(roles, door.resource.access["retrieve"])


def test_every_door_declares_an_action_and_a_scope():
    assert len(DOORS) > 60
    assert {door.noun for door in DOORS} == set(RESOURCES)
    for door in DOORS:
        assert door.access is not None, door
        assert {door.access.action, *door.access.others} <= ACTIONS
        assert door.access.scope in SCOPES
        assert door.access.scope.endswith(":read" if door.method == "get" else ":write")
    assert {door.access.scope for door in DOORS} == set(SCOPES)


def test_an_address_with_a_method_that_declares_nothing_is_closed():
    class Bare(RESOURCES["apps"]):
        access = {}  # noqa: RUF012  (as resources write it)

    router = Router()
    router.register("bare", Bare, basename="bare")
    assert [permission_of(entry.callback) for entry in router.urls] == [None] * len(router.urls)
    declared = [entry.callback for entry in urls.router.urls()]
    assert all(permission_of(view).kind == "api" for view in declared)


def test_a_noun_that_does_not_say_what_may_be_read_gets_no_address():
    class Unsaid(OfTenant):
        model = App

    with pytest.raises(TypeError, match=r"Unsaid does not say: visible"):
        Router().register("unsaid", Unsaid)


def test_every_write_takes_a_body_that_it_lists():
    for door in DOORS:
        if door.method in ("post", "put", "patch"):
            assert door.name in door.resource.bodies, door


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_a_stranger_gets_no_further_than_the_door(acme, door):
    answer = door.knock(Api(), acme.id(door.noun))
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("door", DETAILS, ids=str)
def test_charlie_finds_nothing_of_acme(acme, charlie, door):
    answer = door.knock(charlie, acme.id(door.noun))
    assert answer.status_code == 404, answer.content
    assert str(acme.tenant.name) not in answer.content.decode()


@pytest.mark.parametrize("noun", sorted(RESOURCES))
def test_charlies_lists_hold_nothing_of_acme(acme, charlie, noun):
    answer = charlie.get(f"{noun}/")
    assert str(acme.id(noun)) not in [str(row["id"]) for row in answer.json().get("results", [])]
    assert acme.tenant.name not in answer.content.decode()


def test_charlie_cannot_name_what_is_acmes_in_what_he_makes(acme, charlie):
    tenant, app, policy = (str(acme.id(noun)) for noun in ("tenants", "apps", "policies"))
    terms = {"name": "x", "limit_micros": 1, "currency": "USD", "window": "day"}
    own = charlie.get("tenants/").json()["results"][0]["id"]
    attempts = [
        ("apps/", {"tenant": tenant, "name": "x"}, "tenant"),
        ("keys/", {"app": app, "name": "x"}, "app"),
        ("members/", {"tenant": tenant, "email": "a@example.org", "role": "owner"}, "tenant"),
        ("budgets/", {"tenant": tenant, **terms}, "tenant"),
        ("budgets/", {"tenant": own, "app": app, **terms}, "app"),
        ("budgets/", {"tenant": own, "key": str(acme.id("keys")), **terms}, "key"),
        ("limits/", {"tenant": tenant, "name": "x", "kind": "concurrency", "amount": 1}, "tenant"),
        ("attachments/", {"policy": policy, "tenant": own}, "policy"),
        ("drafts/", {"policy": policy}, "policy"),
        ("review-rules/", {"tenant": tenant}, "tenant"),
        ("rollouts/", {"policy": policy, "version": 1}, "policy"),
        ("schedules/", {"policy": policy, "version": 1, "at": "2027-01-01T00:00:00Z"}, "policy"),
        (
            "exemptions/",
            {
                "tenant": tenant,
                "name": "x",
                "rules": ["a/b"],
                "expires_at": "2027-01-01T00:00:00Z",
                "reason": "x",
            },
            "tenant",
        ),
        (
            "exports/",
            {"tenant": tenant, "since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"},
            "tenant",
        ),
        ("jobs/", {"tenant": tenant, "kind": "rollup", "terms": {}}, "tenant"),
        (
            "oauth-applications/",
            {
                "tenant": tenant,
                "name": "x",
                "grant": "client_credentials",
                "scopes": ["apps:read"],
                "roles": ["auditor"],
            },
            "tenant",
        ),
    ]
    for address, body, field in attempts:
        answer = charlie.post(address, body)
        assert answer.status_code == 400, (address, answer.content)
        assert [fault["field"] for fault in answer.json()["errors"]] == [field], address


@pytest.mark.parametrize("role", [*MATRIX, None])
def test_a_role_opens_what_the_matrix_says(acme, role):
    roles = [role] if role else []
    bob = Api(acme.world.person(*roles))
    for door in DOORS:
        answer = door.knock(bob, acme.id(door.noun))
        if may(roles, door.access) and (not door.detail or reads(roles, door)):
            assert answer.status_code not in (401, 403, 404), (door, answer.content)
        elif door.detail and not reads(roles, door):
            assert answer.status_code == 404, (door, answer.content)
        else:
            assert answer.status_code == 403, (door, answer.content)
            assert answer.json()["permission"] == door.access.action


def test_the_owner_of_the_installation_opens_all(acme, root):
    for door in DOORS:
        # These ask for nothing that could fail late.
        if door.name not in ("remove_credential", "retire_secret"):
            answer = door.knock(root, acme.id(door.noun))
            assert answer.status_code in (200, 400, 412), (door, answer.content)


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_a_token_opens_what_its_scopes_say(acme, door, tokens):
    answer = door.knock(tokens(door.access.scope), acme.id(door.noun))
    assert answer.status_code == 403
    assert answer.json()["scope"] == door.access.scope
    assert f'scope="{door.access.scope}"' in answer["WWW-Authenticate"]


@pytest.fixture(scope="module")
def tokens(db):
    """Return by scope a token of the platform that has every scope but this."""
    made = {}

    def without(scope):
        if scope not in made:
            made[scope] = as_itself(None, scopes=[one for one in SCOPES if one != scope])
        return made[scope]

    return without


def test_mallory_is_out_at_once(acme):
    user = acme.world.person("owner")
    session = Api(user)
    token = as_itself(acme.tenant, "auditor")
    assert session.get("apps/").status_code == token.get("apps/").status_code == 200
    user.memberships.all().delete()
    for door in DOORS:
        answer = door.knock(session, acme.id(door.noun))
        assert answer.status_code == (404 if door.detail else 403), door
    user.is_active = False
    user.save()
    assert session.get("apps/").status_code == 401
    get_access_token_model().objects.filter(application__tenant=acme.tenant).delete()
    assert token.get("apps/").status_code == 401


@pytest.mark.parametrize("door", WRITES, ids=str)
def test_no_field_outside_the_list_takes_effect(acme, root, door):
    model = door.resource.model
    columns = {field.name for field in model._meta.get_fields()}
    shown = set(door.resource.serializer_class().fields)
    listed = set(door.resource.bodies[door.name]().fields)
    identity = acme.id(door.noun)
    before = snapshot(acme, door.noun)
    for name in sorted((columns | shown | {"id", "pk", "is_superuser"}) - listed):
        tag = {"if_match": "*"}
        answer = root(door.method, door.address(identity), {name: "owner"}, **tag)
        assert answer.status_code == 400, (name, answer.content)
        assert name in [fault["field"] for fault in answer.json()["errors"]]
    assert snapshot(acme, door.noun) == before


def snapshot(acme, noun):
    row = acme.objects[noun]
    return type(row).objects.filter(pk=row.pk).values().get() if hasattr(row, "pk") else None


def test_no_answer_has_a_field_that_tells_a_secret(acme, root):
    told = re.compile(r"secret|digest|password|sealed|hash")
    for noun in RESOURCES:
        names = set(RESOURCES[noun].serializer_class().fields)
        assert not [name for name in names if told.search(name)], noun
        body = root.get(f"{noun}/{acme.id(noun)}/").content.decode()
        assert (
            OAuthApplication.objects.get(pk=acme.id("oauth-applications")).client_secret not in body
        )
    assert OPERATOR.is_operator
