"""Whatever is sent, the answer is a problem that names the place: what a sweep has found."""

import datetime
import uuid

import pytest
from django.utils import timezone
from oauth2_provider.models import get_access_token_model

from tests.gateway.call_records import World
from tests.gateway.rest.test_conventions import at_once, is_problem
from tests.management import Api, as_itself, owner_of_all

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def alice(world):
    return Api(world.person("owner"))


@pytest.fixture
def root(unique):
    return Api(owner_of_all(unique))


def fields(answer):
    return [fault["field"] for fault in is_problem(answer, 400)["errors"]]


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"5", b"null", b"true", b"", b"\xff\xfe", b"NaN"])
def test_a_body_is_an_object(alice, body):
    is_problem(alice.post("apps/", body), 400)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tenant": 5}, "tenant"),
        ({"tenant": ["x"]}, "tenant"),
        ({"tenant": str(uuid.UUID(int=7))}, "tenant"),
        ({"name": None}, "name"),
        ({"name": {}}, "name"),
        ({"name": "x" * 64}, "name"),
        ({"models": "gpt"}, "models"),
        ({"models": [None]}, "models.0"),
        ({"surprise": 1}, "surprise"),
    ],
    ids=str,
)
def test_what_is_of_a_wrong_type_is_named(alice, world, changes, field):
    wanted = {"tenant": str(world.tenant.id), "name": world.unique("app"), **changes}
    assert fields(alice.post("apps/", wanted)) == [field]


@pytest.mark.parametrize(
    "instant",
    ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"],
)
@pytest.mark.parametrize("bound", ["since", "until"])
@pytest.mark.parametrize("noun", ["calls", "events"])
def test_an_instant_at_the_edge_of_the_calendar_is_no_fault_of_ours(alice, noun, bound, instant):
    assert alice.get(f"{noun}/?{bound}={instant}").status_code in (200, 400)


@pytest.mark.parametrize("uri", ["https://[::1", "https://x:y/", "ftp://x/", "https://u:p@x/", ""])
def test_a_base_url_that_is_none_is_named(root, world, uri):
    wanted = {"name": world.unique("vendor"), "dialect": "openai", "base_url": uri}
    assert fields(root.post("providers/", wanted)) == ["base_url"]


def test_a_currency_that_is_none_is_named(root, world):
    route = root.post("routes/", {"name": world.unique("model")}).json()
    price = {"route": route["id"], "input_per_million": "1", "output_per_million": "1"}
    assert fields(root.post("prices/", {**price, "currency": "U$D"})) == ["currency"]


def test_a_name_that_is_taken_is_said_in_words(alice, world):
    owner = {"tenant": str(world.tenant.id)}
    for noun, body, said in (
        ("apps", {}, "An app of this name exists in the tenant."),
        (
            "budgets",
            {"limit_micros": 1, "currency": "USD", "window": "day"},
            "A budget of this name exists there.",
        ),
        ("limits", {"kind": "concurrency", "amount": 1}, "A limit of this name exists there."),
    ):
        wanted = {**owner, "name": "twice", **body}
        assert alice.post(f"{noun}/", wanted).status_code == 201
        refused = is_problem(alice.post(f"{noun}/", wanted), 400)
        assert [fault["message"] for fault in refused["errors"]] == [said]


def test_of_the_same_name_at_the_same_moment_one_is_made(world):
    user = world.person("owner")
    wanted = {"tenant": str(world.tenant.id), "name": "race"}
    apis = [Api(user) for _ in range(4)]
    answers = at_once(4, lambda: apis.pop().post("apps/", wanted))
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]


def test_a_cursor_of_another_list_is_refused(alice, world):
    world.new_app("more")
    following = alice.get("apps/?limit=1").json()["next"]
    query = following.partition("?")[2]
    for noun in ("events", "attachments", "members"):
        is_problem(alice.get(f"{noun}/?{query}"), 400)
    is_problem(alice.get(f"{following}&limit=2"), 400)


@pytest.mark.parametrize("number", ["0", "9" * 18, "9" * 19, "-1", "1.0"])
@pytest.mark.parametrize("noun", ["events", "members", "attachments", "prices"])
def test_a_number_that_is_none_of_ours_finds_nothing(alice, noun, number):
    is_problem(alice.get(f"{noun}/{number}/"), 404)


def test_a_token_that_is_over_says_so(world):
    api = as_itself(world.tenant, "auditor")
    assert api.get("apps/").status_code == 200
    over = timezone.now() - datetime.timedelta(seconds=1)
    get_access_token_model().objects.filter(application__tenant=world.tenant).update(expires=over)
    refused = api.get("apps/")
    assert is_problem(refused, 401)["detail"] == "This token is unknown, expired or revoked."
    assert 'error="invalid_token"' in refused["WWW-Authenticate"]
