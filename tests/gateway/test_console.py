"""What holds for every page of the console, and that it reads what the data plane writes."""

import datetime
import gzip
import re
import uuid
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.exports.wanted import ExportWanted
from audit.models import Event
from gateway import navigation
from gateway.access import permission_of
from gateway.jobs.run import run
from gateway.models import Route
from gateway.services.backtests import BacktestWanted, backtest_create
from gateway.services.exports import export_create
from gateway.services.guards import guard_create, guard_secret_set
from policies.models import Exemption
from policies.services.activations import policy_version_freeze
from policies.services.attachments import policy_attach, policy_detach
from policies.services.drafts import draft_create
from policies.services.emergencies import policy_emergency_publish
from policies.services.exemptions import exemption_grant
from policies.services.policies import policy_create, policy_publish
from policies.services.reviews import review_request, review_rule_set
from policies.services.rollouts import rollout_start
from tenants.models import Budget, RateLimit, User, VirtualKey
from tenants.selectors import actor_of
from tests.estate import ACTOR, OPEN, route, simulated
from tests.gateway.call_records import World
from tests.gateway.proxy import offered
from tests.gateway.test_permissions_declared import pages
from tests.gateway.views.reading import body, signed_in, text
from tests.mock_guard import SECRET

pytestmark = pytest.mark.usefixtures("db")

NOON = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
QUERIES_MAX = 12
EXAMINED_MAX = 15  # the system page examines the installation: each check is a statement
NOBODY = "policy: {name}\ndefault: deny\nrules: []\n"


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def client(world):
    return signed_in(world.person("auditor"))


def every_page(world):
    """Return one address of each state that a page can be in, for the installation's owner."""
    now = timezone.now()
    ids = [
        world.call(now).admitted().completed().id,
        world.call(now - SECOND).with_cards().refused().id,
        world.call(now - 2 * SECOND, failed=["pii"]).refused().id,
        world.call(now - 3 * SECOND).admitted().answer_denied().id,
        world.call(now - 4 * SECOND).admitted().lost().id,
        world.call(now - 5 * SECOND).completed(1, "not_sent", 0, None).id,
    ]
    lists = ["", "?outcome=lost", "?outcome=in_flight", "?from=x", "?id=x", "?before=9"]
    return [f"/calls/{each}" for each in ids] + [f"/calls{query}" for query in lists]


def life_cycle(world, policy):
    """Return the screens of what becomes of a policy's text."""
    second = OPEN.replace("{name}", policy.name).replace("permit", "deny")
    version = policy_version_freeze(actor=ACTOR, policy=policy, source=second)
    draft = draft_create(actor=ACTOR, policy=policy, source=second)
    review = review_request(actor=ACTOR, draft=draft)
    rule = review_rule_set(actor=ACTOR, tenant=world.tenant)
    for held in policy.attachments.filter(tenant=world.tenant):
        policy_detach(actor=actor_of(world.person("approver")), attachment=held, reason="tests")
    rollout = rollout_start(actor=ACTOR, policy=policy, version=version)
    exemption = exemption_grant(
        actor=ACTOR,
        tenant=world.tenant,
        name="for-a-day",
        rules=[f"{policy.name}/default"],
        apps=[world.app.name],
        expires_at=timezone.now() + datetime.timedelta(days=1),
        reason="tests",
    )
    asked = Exemption.objects.get(pk=exemption.pk)
    asked.pk, asked.name, asked.holds_since = uuid.uuid4(), "asked-for", None
    asked.save(force_insert=True)
    return [
        "/reviews",
        "/reviews/rules",
        "/reviews/rules/new",
        f"/reviews/rules/{rule.id}/end",
        f"/reviews/{review.id}",
        "/exemptions",
        "/exemptions/new",
        f"/exemptions/{exemption.id}/approve",
        f"/exemptions/{exemption.id}/revoke",
        f"/rollouts/{rollout.id}",
        *(f"/rollouts/{rollout.id}/{verb}" for verb in ("percent", "stop", "promote")),
    ]


def emergency(world):
    """Return the screens of a policy whose version came in an emergency, past a draft."""
    policy = policy_create(actor=ACTOR, name=world.unique("urgent"))
    source = OPEN.replace("{name}", policy.name)
    policy_publish(actor=ACTOR, policy=policy, source=source)
    policy_attach(actor=ACTOR, policy=policy, tenant=world.tenant)
    changed = f"description: A draft.\n{source}"
    draft_create(actor=ACTOR, policy=policy, source=changed)
    policy_emergency_publish(
        actor=ACTOR, policy=policy, source=source.replace("permit", "deny"), hours=8, reason="tests"
    )
    review = policy.reviews.get()
    page = f"/policies/{policy.id}"
    return [page, f"{page}/draft", f"{page}/draft/rebase", f"/reviews/{review.id}"]


def guarded(world):
    """Return a guard whose former secret still signs."""
    guard = guard_create(
        actor=ACTOR,
        tenant=world.tenant,
        name="names",
        secret=SECRET,
        url="https://guard.example/inspect",
        allow_private=False,
        kinds=["PROJECT_NAME", "CUSTOMER"],
        phases=["request"],
        deadline_ms=300,
        tells_user=False,
        redacted=False,
        cache=False,
    )
    guard_secret_set(actor=ACTOR, guard=guard, secret=f"{SECRET}-newer")
    return guard


def back_test(world, policy):
    """Return a back-test that found somebody to be affected."""
    now = timezone.now()
    world.call(now - SECOND).admitted().completed()
    since, until = now - datetime.timedelta(hours=1), now + SECOND
    wanted = BacktestWanted(
        source=NOBODY.replace("{name}", policy.name),
        since=since,
        until=until,
    )
    asked = backtest_create(actor=ACTOR, tenant=world.tenant, wanted=wanted, send=False)
    assert run(asked.job_id, "tests")
    return asked


def every_screen(world):
    """Return one address of each screen, with things of this world on them."""
    owner = {"tenant": world.tenant}
    key = VirtualKey.objects.create(
        **owner,
        app=world.app,
        name="laptop",
        public_id=(tag := world.unique("")[-9:]),
        digest=tag.encode(),
    )
    several = f"/keys/revoke?key={key.id}"
    budget = Budget.objects.create(
        **owner, name="month", limit_micros=9, currency="USD", window="month", group_by=["app"]
    )
    plain = Budget.objects.create(**owner, name="day", limit_micros=9, currency="USD", window="day")
    limit = RateLimit.objects.create(**owner, name="rpm", kind="tokens", amount=6, per="hour")
    member = world.person("analyst").memberships.get()
    policy = policy_create(actor=ACTOR, name=world.unique("house"))
    policy_publish(actor=ACTOR, policy=policy, source=OPEN.replace("{name}", policy.name))
    held = policy_attach(actor=ACTOR, policy=policy, tenant=world.tenant, app=world.app)
    cycle = life_cycle(world, policy)
    asked = back_test(world, policy)
    cycle += [f"/backtests/{asked.id}", f"/backtests/{asked.id}/cancel", *emergency(world)]
    service = offered.service("https://vectors.example")
    provider = simulated()
    served = route((provider, "simulated"))
    export = export_create(
        actor=ACTOR,
        tenant=world.tenant,
        wanted=ExportWanted(since=NOON, until=NOON + datetime.timedelta(days=1)),
        send=False,
    )
    things = {
        "/apps": ("edit transformation purge suspend resume remove", world.app.id),
        "/catalogue/services": ("edit credential forget remove", service.id),
        "/budgets": ("edit remove", budget.id),
        "/guards": ("edit secret retire test remove", guarded(world).id),
        "/keys": ("rotate revoke", key.id),
        "/members": ("", member.user_id),
        "/models": (
            "edit routing cache transformation remove deploy price withdraw",
            Route.objects.get(pk=served.pk).id,
        ),
        "/policies": (
            "publish diff attach versions/1 versions/2 draft draft/discard draft/review"
            " draft/publish draft/emergency versions/2/activate versions/2/schedule"
            " versions/2/try backtest sample",
            policy.id,
        ),
        "/providers": ("edit credential forget remove", provider.id),
        "/tenants": ("edit detectors purge suspend resume remove", world.tenant.id),
        "/exports": ("", export.id),
    }
    found = ["/limits", f"/limits/{limit.id}/edit", f"/limits/{limit.id}/remove", "/limits/new"]
    found += cycle
    found += [
        f"/memberships/{member.id}/revoke",
        *(f"/attachments/{held.id}/{verb}" for verb in ("detach", "keep")),
    ]
    deployment = served.deployments.get().id
    found += [
        f"/deployments/{deployment}/{verb}" for verb in ("edit", "remove", "price", "withdraw")
    ]
    found += [f"/members/{member.user_id}/tenants/{world.tenant.id}/remove"]
    found += [
        several,
        "/providers/start",
        "/members/grant",
        f"/events/{Event.objects.latest('id').id}",
    ]
    found += [f"/policies?tenant={world.tenant.name}&pending={kind}" for kind in ("any", "draft")]
    found += [f"/events?tenant={world.tenant.name}"]  # of others: what their tests have written
    found += ["/overview", f"/overview?range=24h&tenant={world.tenant.name}", "/usage"]
    found += ["/api/docs/", "/api/docs/budgets/", "/api/docs/oauth/"]
    found += [f"/calls/{world.call().with_cards().refused().id}/mark"]
    found += [f"/jobs/{export.job_id}/cancel", "/jobs", f"/budgets/{plain.id}"]
    for path, (verbs, identity) in things.items():
        found += [path, f"{path}/{identity}"]
        found += [f"{path}/{identity}/{verb}" for verb in verbs.split()]
        found.append(f"{path}/new")
    return found


@pytest.fixture
def platform(world):
    """The browser of the owner of the installation."""
    user = world.person(is_superuser=True)
    yield signed_in(user)
    User.objects.filter(pk=user.pk).update(is_superuser=False)


def test_no_page_needs_what_the_content_security_policy_forbids(world, client, platform):
    strangers = Client()
    answers = [client.get(path) for path in [*every_page(world), "/nothing"]]
    answers += [platform.get(path) for path in [*every_screen(world), "/system"]]
    answers += [strangers.get(path) for path in ("/sign-in", "/setup/x")]
    for answer in answers:
        assert answer["Content-Type"] == "text/html; charset=utf-8"
        forbidden = r"<script(?! src=\"/static/)|<style|\sstyle=|\son\w+=|javascript:"
        assert not re.search(forbidden, body(answer), re.IGNORECASE)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', body(answer))
        assert "{{" not in body(answer)
        assert "{%" not in body(answer)
        assert "<c-" not in body(answer)


def test_every_page_names_itself_and_its_parts(world, client, platform):
    pages_seen = [client.get(path) for path in every_page(world)]
    pages_seen += [platform.get(path) for path in every_screen(world)]
    for page in map(body, pages_seen):
        assert len(re.findall(r"<h1[ >]", page)) == 1
        assert re.search(r"<title>[^<]{3,} · Gatehouse</title>", page)
        assert 'lang="en"' in page
        assert 'href="#main"' in page
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        for target in re.findall(r'(?:aria-labelledby|aria-describedby|for)="([^"]+)"', page):
            assert set(target.split()) <= set(ids)
        assert not re.search(r"<th(?![^>]*scope)[ >]", page)


def test_every_screen_opens_with_few_queries(world, platform):
    for path in ["/", "/system", *every_screen(world)]:
        with CaptureQueriesContext(connection) as queries:
            answer = platform.get(path)
        assert answer.status_code == 200 or path == "/", path
        most = EXAMINED_MAX if path == "/system" else QUERIES_MAX
        assert (path, len(queries)) <= (path, most)


@pytest.mark.parametrize("calls_made", [1, 20])
def test_a_page_takes_few_queries_however_many_calls(world, client, calls_made):
    now = timezone.now()
    for n in range(calls_made):
        call = world.call(now - n * SECOND).admitted().completed()
    for path in ("/calls", "/calls?outcome=permitted", f"/calls/{call.id}"):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        assert len(queries) <= QUERIES_MAX


def test_the_markup_of_components_stands_in_one_folder():
    templates = Path(__file__).parents[2] / "templates"
    raw = re.compile(r'class="(?:btn|badge|card|panel|notice|toast|empty|filters|meter)\b')
    found = [
        path.name
        for path in templates.rglob("*.html")
        if path.parent.name != "cotton" and raw.search(path.read_text())
    ]
    assert found == []


def test_a_theme_is_kept_by_the_browser(client):
    answer = client.post("/theme", {"theme": "dark", "next": "/calls?outcome=lost"})
    assert (answer.status_code, answer["Location"]) == (302, "/calls?outcome=lost")
    cookie = answer.cookies["gatehouse-theme"]
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("dark", True, "Lax")
    assert 'data-theme="dark"' in body(client.get("/calls"))
    assert client.post("/theme", {"theme": "pink"}).status_code == 400
    client.cookies["gatehouse-theme"] = "pink"
    assert 'data-theme="system"' in body(client.get("/calls"))
    assert client.post("/theme", {"theme": "dark", "next": "//evil"})["Location"] == "/"


def test_every_page_but_the_gate_belongs_to_a_place():
    named = {entry.name for entry in pages() if permission_of(entry.callback).kind == "action"}
    assert named <= navigation.page_names()


def test_the_way_around_shows_where_one_may_go(world, client):
    found = re.findall(r'<a href="(/\w+)"', body(client.get("/calls")))
    assert "/calls" in found
    person = signed_in(world.person("key_manager"))
    home = person.get("/")
    assert home["Location"] != "/calls"
    assert 'href="/calls"' not in body(person.get(home["Location"]))


def test_lists_keep_the_chosen_tenant(world, client):
    page = body(client.get(f"/calls?tenant={world.tenant.name}"))
    assert f'href="/keys?tenant={world.tenant.name}"' in page
    assert f"Tenant: {world.tenant.name}" in text(client.get(f"/calls?tenant={world.tenant.name}"))


def test_the_first_view_is_light():
    built = Path(__file__).parents[2] / "gateway/static/dist"
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in built.iterdir()}
    assert set(sizes) == {"console.css", "console.js"}
    assert sum(sizes.values()) <= 60_000
