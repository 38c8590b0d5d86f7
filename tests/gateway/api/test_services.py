"""Services by the API: declared whole, secrets never shown, what is wrong told by its field."""

import pytest

from gateway import service_credentials
from gateway.models import Service
from tests.management import Api, owner_of_all

pytestmark = pytest.mark.usefixtures("db")

CANARY = "vdb-canary-9f8e7d6c5b4a"
SEARCH = {
    "name": "search",
    "method": "POST",
    "path": "/collections/{collection}/points/search",
    "query": ["timeout"],
    "body": "json",
    "answer": "json",
    "idempotent": True,
}


@pytest.fixture
def root(unique):
    return Api(owner_of_all(unique))


def make(root, unique, **changes):
    body = {
        "name": unique("vectors"),
        "base_url": "https://db.example/v1",
        "operations": [SEARCH],
        "per_call": "0.0002",
        "currency": "USD",
        **changes,
    }
    return root.post("services/", body)


def test_the_life_of_a_service(root, unique):
    made = make(root, unique, header="api-key", scheme="", region="eu", total_s=9)
    assert made.status_code == 201, made.content
    shown = made.json()
    assert shown["operations"] == [SEARCH]
    assert (shown["per_call"], shown["currency"], shown["has_credential"]) == (
        "0.0002",
        "USD",
        False,
    )
    address = f"services/{shown['id']}/"
    said = root("put", f"{address}credential/", {"secret": CANARY})
    assert (said.status_code, said.content) == (204, b"")
    assert root.get(address).json()["has_credential"] is True
    service = Service.objects.get(pk=shown["id"])
    assert service_credentials.open_sealed(service_credentials.of(service)) == CANARY
    for answer in (root.get(address), root.get("services/"), root.get("events/?limit=200")):
        assert CANARY not in answer.content.decode()
    least = {"name": "ping", "method": "GET", "path": "/ping"}
    changed = root.patch(address, {"operations": [least], "per_call": None, "currency": ""})
    assert changed.json()["operations"] == [
        {**least, "query": [], "body": "none", "answer": "json", "idempotent": False}
    ]
    assert changed.json()["per_call"] is None
    moved = root.patch(address, {"base_url": "https://elsewhere.example"})
    assert moved.json()["has_credential"] is False
    root("put", f"{address}credential/", {"secret": CANARY})
    assert root.delete(f"{address}credential/?reason=over").status_code == 204
    assert root.get(address).json()["has_credential"] is False
    assert root.delete(address).status_code == 204
    assert root.get(address).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base_url": "http://db.example"}, "base_url"),
        ({"header": "host"}, "header"),
        ({"operations": []}, "operations"),
        ({"operations": [{**SEARCH, "path": "/../x"}]}, "operations"),
        ({"operations": [SEARCH, SEARCH]}, "operations"),
        ({"operations": [{**SEARCH, "method": "HEAD"}]}, "operations.0.method"),
        ({"operations": [{**SEARCH, "more": 1}]}, "operations.0.more"),
        ({"operations": ["x"]}, "operations.0"),
        ({"per_call": "free"}, "per_call"),
        ({"per_call": None}, "currency"),
        ({"credential": CANARY}, "credential"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(root, unique, changes, field):
    answer = make(root, unique, **changes)
    assert answer.status_code == 400
    assert CANARY not in answer.content.decode()
    assert any(error["field"].startswith(field) for error in answer.json()["errors"]), answer.json()


def test_an_app_lists_services_that_there_are(root, unique):
    service = make(root, unique).json()
    tenant = root.post("tenants/", {"name": unique("tenant")}).json()
    wanted = {"tenant": tenant["id"], "name": "app", "services": [service["name"]]}
    app = root.post("apps/", wanted)
    assert (app.status_code, app.json()["services"]) == (201, [service["name"]])
    refused = root.patch(f"apps/{app.json()['id']}/", {"services": ["nothing"]})
    assert refused.status_code == 400
    assert "no such service: nothing" in refused.content.decode()
    kept = root.delete(f"services/{service['id']}/")
    assert kept.status_code in (400, 409)
    assert "is used by" in kept.content.decode()
