"""Transformations in the console: written as YAML, refused at their line, shown again."""

import pytest

from audit.models import Event
from gateway.models import Route
from tenants.models import Tenant, User
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")

GOOD = "- endpoints: [chat.completions]\n  defaults: {/temperature: 0.5}\n"
STEPS = [{"endpoints": ["chat.completions"], "defaults": {"/temperature": 0.5}}]
BAD = "- endpoints: [chat.completions]\n  defualts: {}\n  schema: {type: objct}\n"


@pytest.fixture
def admin(world):
    return signed_in(world.person("admin"))


@pytest.fixture
def platform(world):
    user = world.person(is_superuser=True)
    yield signed_in(user)
    User.objects.filter(pk=user.pk).update(is_superuser=False)


@pytest.fixture
def model(db, unique):
    return Route.objects.create(name=unique("model"))


def test_an_apps_is_written_shown_and_ended(world, admin):
    path = f"/apps/{world.app.id}/transformation"
    assert "before the policy judges" in text(admin.get(path))
    answer = admin.post(path, {"transformation": GOOD, "reason": "calmer"})
    assert answer["Location"] == f"/apps/{world.app.id}"
    world.app.refresh_from_db()
    assert world.app.transformation == STEPS
    assert Event.objects.filter(action="app.update").latest("id").reason == "calmer"
    assert "1 step" in text(admin.get(f"/apps/{world.app.id}"))
    assert "/temperature: 0.5" in body(admin.get(path))
    assert "Nothing differed" in text(admin.post(path, {"transformation": GOOD}, follow=True))
    admin.post(path, {"transformation": "  \n"})
    world.app.refresh_from_db()
    assert world.app.transformation == []


@pytest.mark.parametrize("wrong", [BAD, "- [", "a: b", "3"])
def test_what_is_wrong_is_told_with_its_line_and_nothing_is_changed(world, admin, wrong):
    answer = admin.post(f"/apps/{world.app.id}/transformation", {"transformation": wrong})
    assert answer.status_code == 422
    told = text(answer)
    if wrong == BAD:
        assert "Line 2, column 3" in told
        assert "Line 3, column 18" in told
        assert "defualts" in body(answer)
    assert "Line 1, column" in told or wrong == BAD
    world.app.refresh_from_db()
    assert world.app.transformation == []


def test_a_models_is_the_owners_affair(admin, platform, model):
    path = f"/models/{model.id}/transformation"
    assert admin.post(path, {"transformation": GOOD}).status_code == 403
    answer = platform.post(path, {"transformation": GOOD})
    assert answer["Location"] == f"/models/{model.id}"
    model.refresh_from_db()
    assert model.transformation == STEPS
    assert "1 step" in text(platform.get(f"/models/{model.id}"))
    renaming = GOOD.replace("/temperature: 0.5", "/model: other")
    refused = platform.post(path, {"transformation": renaming})
    assert "cannot change /model" in text(refused)


def test_s2_a_strangers_app_is_not_there(unique, admin):
    other = World(unique)
    path = f"/apps/{other.app.id}/transformation"
    assert admin.get(path).status_code == 404
    assert admin.post(path, {"transformation": GOOD}).status_code == 404


def test_who_may_only_read_changes_nothing(world, client):
    path = f"/apps/{world.app.id}/transformation"
    assert client.post(path, {"transformation": GOOD}).status_code == 403


def test_default_models_are_set_for_a_tenant(world, admin, model):
    tenant = Tenant.objects.get(pk=world.tenant.pk)
    path = f"/tenants/{tenant.id}/edit"
    given = {"timezone": "UTC", "default_model": model.name, "tier_models": f"gold={model.name}"}
    assert admin.post(path, given).status_code == 302
    tenant.refresh_from_db()
    assert (tenant.default_model, tenant.tier_models) == (model.name, {"gold": model.name})
    assert f"gold={model.name}" in body(admin.get(path))
    assert f"gold: {model.name}" in text(admin.get(f"/tenants/{tenant.id}"))
    for wrong, said in (
        ({"default_model": "nothing"}, "There is no model nothing."),
        ({"tier_models": "gold"}, "such as gold=large"),
        ({"tier_models": f"a={model.name} a={model.name}"}, "stands there twice"),
    ):
        assert said in text(admin.post(path, given | wrong))
