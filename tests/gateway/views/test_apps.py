"""Apps: the list, one app with what holds for it, and changing it."""

import pytest

from audit.models import Event
from gateway.models import Route
from policies.models import Attachment, Policy
from tenants.models import App, Budget, RateLimit
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def admin(world):
    for model in world.app.models:
        Route.objects.get_or_create(name=model)
    return signed_in(world.person("admin"))


def test_the_list_and_its_search(world, admin, client):
    batch = world.new_app("batch")
    told = text(admin.get("/apps"))
    assert world.app.name in told
    assert "gpt-4o-mini" in told
    assert world.app.name not in text(admin.get("/apps", {"q": batch.name})).replace(batch.name, "")
    assert "No app of that name" in text(admin.get("/apps?q=nothing-like-it"))
    assert "No apps yet" not in told
    assert 'href="/apps/new"' not in body(client.get("/apps"))
    App.objects.filter(tenant=world.tenant).update(state="removed")
    assert "No apps yet" in text(admin.get("/apps"))


def test_an_app_shows_all_that_holds_for_it(world, admin):
    owner = {"tenant": world.tenant, "app": world.app}
    Budget.objects.create(
        **owner, name="own", limit_micros=5_000_000, currency="USD", window="month"
    )
    Budget.objects.create(
        tenant=world.tenant, name="all", limit_micros=9_000_000, currency="USD", window="total"
    )
    RateLimit.objects.create(**owner, name="rpm", kind="requests", amount=600, per="minute")
    name = world.layered[1].name
    policy = Policy.objects.get(name=name)
    policy.active = policy.versions.get()
    policy.save()
    Attachment.objects.create(policy=policy, **owner)
    told = text(admin.get(f"/apps/{world.app.id}"))
    for part in ("own", "0.00 held of 5.00 USD", "all of the whole tenant", f"{name}@1"):
        assert part in told
    assert "600 requests per minute" in told


def test_every_model_of_the_platform_is_offered_to_who_makes_apps(world, admin, unique):
    name = unique("never-listed")
    Route.objects.create(name=name)
    for path in ("/apps/new", f"/apps/{world.app.id}/edit"):
        assert f'value="{name}"' in body(admin.get(path))
    answer = admin.post(f"/apps/{world.app.id}/edit", {"models": [name], "tier": ""})
    assert answer.status_code == 302
    world.app.refresh_from_db()
    assert world.app.models == [name]


def test_an_app_is_created(world, admin, unique):
    name = unique("fresh")
    given = {"tenant": world.tenant.id, "name": name, "models": ["gpt-4o"], "tier": "gold"}
    answer = admin.post("/apps/new", given)
    app = App.objects.get(name=name)
    assert answer["Location"] == f"/apps/{app.id}"
    assert (app.models, app.tier) == (["gpt-4o"], "gold")
    again = admin.post("/apps/new", given)
    assert again.status_code == 422
    assert "exists" in text(again)
    wrong = admin.post("/apps/new", given | {"name": "No Good", "models": ["unheard-of"]})
    assert wrong.status_code == 422
    assert "not one of the available choices" in text(wrong)
    assert "1 to 63" in text(admin.post("/apps/new", given | {"name": "No Good"}))


def test_an_app_is_edited_with_a_reason(world, admin):
    path = f"/apps/{world.app.id}/edit"
    assert 'value="gpt-4o" ' in body(admin.get(path))
    given = {"models": ["gpt-4o"], "tier": "", "reason": "mini is not good enough"}
    assert admin.post(path, given).status_code == 302
    world.app.refresh_from_db()
    assert world.app.models == ["gpt-4o"]
    event = Event.objects.filter(action="app.update").latest("id")
    assert event.reason == "mini is not good enough"
    assert "Nothing differed" in text(admin.post(path, given, follow=True))


@pytest.mark.parametrize(
    ("act", "state", "said"),
    [
        ("suspend", "suspended", "refused within a second"),
        ("resume", "active", "work again"),
        ("remove", "removed", "cannot be undone"),
    ],
)
def test_moving_an_app_says_first_what_it_does(world, admin, act, state, said):
    if act == "resume":
        App.objects.filter(id=world.app.id).update(state="suspended")
    path = f"/apps/{world.app.id}/{act}"
    assert said in text(admin.get(path))
    assert admin.post(path, {"reason": "a test"}).status_code == 302
    world.app.refresh_from_db()
    assert world.app.state == state


def test_who_may_only_read_changes_nothing(world, client):
    page = body(client.get(f"/apps/{world.app.id}"))
    assert "None of your roles here may change apps." in page
    for act in ("edit", "suspend", "resume", "remove"):
        assert client.post(f"/apps/{world.app.id}/{act}", {"reason": "x"}).status_code == 403
    world.app.refresh_from_db()
    assert world.app.state == "active"


@pytest.mark.parametrize("act", ["", "/edit", "/suspend", "/resume", "/remove"])
def test_s2_a_strangers_app_is_not_there(unique, admin, act):
    other = World(unique)
    assert admin.get(f"/apps/{other.app.id}{act}").status_code == 404
    assert other.app.name not in text(admin.get("/apps"))
    given = {"tenant": other.tenant.id, "name": "x"}
    assert admin.post("/apps/new", given).status_code == 422
