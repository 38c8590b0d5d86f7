"""Providers by the API: what goes in as a secret does not come out."""

import pytest

from gateway import credentials
from gateway.models import Provider
from tests.management import Api, owner_of_all

pytestmark = pytest.mark.usefixtures("db")

CANARY = "sk-canary-9f8e7d6c5b4a"


@pytest.fixture
def root(unique):
    return Api(owner_of_all(unique))


def make(root, unique, **changes):
    body = {
        "name": unique("vendor"),
        "dialect": "openai",
        "base_url": "http://127.0.0.1:9/v1",
        "allow_private": True,
        **changes,
    }
    return root.post("providers/", body)


def test_the_life_of_a_provider(root, unique):
    made = make(root, unique)
    assert (made.status_code, made.json()["has_credential"]) == (201, False)
    address = f"providers/{made.json()['id']}/"
    said = root("put", f"{address}credential/", {"secret": CANARY})
    assert (said.status_code, said.content) == (204, b"")
    shown = root.get(address)
    assert shown.json()["has_credential"] is True
    provider = Provider.objects.get(pk=made.json()["id"])
    assert credentials.open_sealed(credentials.active(provider)) == CANARY
    for answer in (shown, root.get("providers/"), root.get("events/?limit=200")):
        assert CANARY not in answer.content.decode()
    tested = root.post(f"{address}test/")
    assert (tested.status_code, tested.json()["ok"]) == (200, False)
    moved = root.patch(address, {"base_url": "http://127.0.0.1:10/v1"})
    assert moved.json()["has_credential"] is False
    root("put", f"{address}credential/", {"secret": CANARY})
    assert root.delete(f"{address}credential/?reason=over").status_code == 204
    assert root.get(address).json()["has_credential"] is False
    assert root.delete(address).status_code == 204
    assert root.get(address).status_code == 404


def test_several_credentials_have_labels_and_health_is_looked_after_where_it_is_wanted(
    root, unique
):
    made = make(root, unique, health_check=True).json()
    assert (made["health_check"], made["credential_labels"]) == (True, [])
    address = f"providers/{made['id']}/"
    for label in ("", "b"):
        said = root("put", f"{address}credential/", {"secret": CANARY, "label": label})
        assert said.status_code == 204
    shown = root.get(address).json()
    assert (shown["has_credential"], shown["credential_labels"]) == (True, ["", "b"])
    assert root.delete(f"{address}credential/?label=b&reason=over").status_code == 204
    assert root.get(address).json()["credential_labels"] == [""]
    assert root.delete(f"{address}credential/?lable=b").status_code == 400
    changed = root.patch(address, {"health_check": False}).json()
    assert (changed["health_check"], changed["credential_labels"]) == (False, [""])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base_url": "http://169.254.169.254/v1", "allow_private": False}, "base_url"),
        ({"base_url": "file:///etc/passwd"}, "base_url"),
        ({"dialect": "simulated"}, "base_url"),
        ({"dialect": "smoke"}, "dialect"),
        ({"credential": {"env": "HOME"}}, "credential"),
        ({"allow_private": "true"}, "allow_private"),
    ],
    ids=str,
)
def test_what_a_provider_cannot_be(root, unique, changes, field):
    answer = make(root, unique, **changes)
    assert answer.status_code == 400, answer.content
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("secret", ["", "a\nb", "\u00e4", 7, None, "x" * 5000])
def test_a_secret_is_printable(root, unique, secret):
    identity = make(root, unique).json()["id"]
    answer = root("put", f"providers/{identity}/credential/", {"secret": secret})
    assert answer.status_code == 400


def test_a_test_may_be_asked_for_twice_with_one_key(root, unique):
    simulated = make(root, unique, dialect="simulated", base_url="", allow_private=False).json()
    for _ in range(2):
        answer = root.post(f"providers/{simulated['id']}/test/", idempotency_key="same")
        assert answer.json()["ok"] is True
        assert "Idempotency-Replayed" not in answer
