"""Services in the console: added, given a secret, changed, offered to apps, removed."""

import pytest

from audit.models import Event
from gateway import service_credentials
from gateway.models import Service, ServiceCredential
from tenants.models import App, User
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")

SECRET = "vdb-canary-0123456789"
LINES = "search POST /collections/{c}/points/search?timeout json idempotent\nping GET /ping text"


@pytest.fixture
def platform(world):
    user = world.person(is_superuser=True)
    yield signed_in(user)
    User.objects.filter(pk=user.pk).update(is_superuser=False)


@pytest.fixture
def given(unique):
    return {
        "name": unique("vectors"),
        "base_url": "https://db.example/v1",
        "header": "api-key",
        "scheme": "",
        "operations": LINES,
        "price_pico": "0.0002",
        "currency": "USD",
        "retries": "1",
    }


def add(platform, given):
    answer = platform.post("/catalogue/services/new", given)
    assert answer.status_code == 302, text(answer)
    service = Service.objects.get(name=given["name"])
    assert answer["Location"] == f"/catalogue/services/{service.id}/credential"
    return service


def test_a_service_is_added_sealed_changed_and_removed(platform, given):
    service = add(platform, given)
    path = f"/catalogue/services/{service.id}"
    told = text(platform.get(path))
    for part in (
        "none is sent",
        "USD 0.0002",
        f"/services/{service.name}/collections/{{c}}/points/search",
        "in use",
        "Nobody yet",
    ):
        assert part in told
    platform.post(f"{path}/credential", {"secret": SECRET, "reason": ""})
    assert service_credentials.open_sealed(service_credentials.of(service)) == SECRET
    shown = platform.get(path)
    assert "sealed" in text(shown)
    assert "sealed" in text(platform.get("/catalogue/services"))
    assert SECRET not in body(shown)
    events = list(Event.objects.filter(action="service_credential.set").values())
    assert SECRET not in str(events[-1])
    form = body(platform.get(f"{path}/edit"))
    assert "search POST /collections/{c}/points/search?timeout json idempotent" in form
    assert 'value="0.0002"' in form
    same = platform.post(f"{path}/edit", given | {"base_url": "https://db.example/v1/"})
    assert same["Location"] == path
    assert service_credentials.of(service) is not None
    moved = given | {"base_url": "https://elsewhere.example", "price_pico": "", "currency": ""}
    platform.post(f"{path}/edit", moved)
    assert service_credentials.of(service) is None
    assert "none: budgets refuse it" in text(platform.get(path))
    platform.post(f"{path}/credential", {"secret": SECRET})
    platform.post(f"{path}/forget", {"reason": "leaked"})
    assert not ServiceCredential.objects.filter(service=service).exists()
    platform.post(f"{path}/remove", {"reason": "a test"})
    assert not Service.objects.filter(name=given["name"]).exists()
    assert Event.objects.filter(action="service.remove", object_name=given["name"]).exists()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("base_url", "http://db.example", "clear-text http"),
        ("operations", "search POST", "line 1: an operation has a name"),
        ("operations", "search POST /../x json", "has a step"),
        ("operations", "search GET /x json", "GET takes no body"),
        ("header", "host", "cannot stand in the header"),
        ("price_pico", "much", "not a decimal number"),
        ("currency", "", "three capital letters"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(platform, given, field, value, said):
    answer = platform.post("/catalogue/services/new", given | {field: value})
    assert answer.status_code == 422
    assert said in text(answer).replace("&#x27;", "'")
    assert 'aria-invalid="true"' in body(answer)
    assert not Service.objects.filter(name=given["name"]).exists()


def test_an_app_is_offered_services_and_shows_them(platform, world, given):
    for_admin = signed_in(world.person("admin"))
    path = f"/apps/{world.app.id}"
    service = add(platform, given)
    assert f'value="{service.name}"' in body(for_admin.get(f"{path}/edit"))
    asked = {"models": [], "services": [service.name], "tier": ""}
    assert for_admin.post(f"{path}/edit", asked).status_code == 302
    assert App.objects.get(pk=world.app.pk).services == [service.name]
    assert service.name in text(for_admin.get(path))
    assert world.app.name in text(platform.get(f"/catalogue/services/{service.id}"))
    kept = platform.post(f"/catalogue/services/{service.id}/remove", {"reason": "a test"})
    assert kept.status_code == 422
    assert "is used by" in text(kept)
    assert for_admin.get("/catalogue/services").status_code == 403
    assert for_admin.get(f"/catalogue/services/{service.id}").status_code == 403
    for_admin.post(f"{path}/edit", {"models": [], "tier": ""})
    assert App.objects.get(pk=world.app.pk).services == []
