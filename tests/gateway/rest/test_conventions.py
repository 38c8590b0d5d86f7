"""What holds for every noun: errors, pages, filters, tags, keys for writing once, pace."""

import secrets
import threading

import pytest
from django.core.exceptions import RequestDataTooBig
from django.db import connection, connections, transaction
from django.test import RequestFactory

from audit.models import Event
from audit.rest import problems
from audit.rest.pages import cursor
from gateway.models import StoredAnswer
from gateway.rest import once as keys_used
from gateway.rest import throttle
from gateway.views import errors
from tenants import sign_in
from tenants.models import App, VirtualKey
from tests.gateway.call_records import World
from tests.management import Api, as_itself

pytestmark = pytest.mark.usefixtures("db")

MEMBERS = {"type", "title", "status", "detail", "errors", "request_id"}


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def alice(world):
    return Api(world.person("owner"))


def app_in(world, **fields):
    return {"tenant": str(world.tenant.id), "name": world.unique("app"), **fields}


def is_problem(answer, status):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert set(body) >= MEMBERS
    assert body["status"] == status
    assert body["request_id"] == answer["X-Request-Id"]
    return body


@pytest.mark.parametrize("address", ["/api/", "/api/v1/", "/api/v1/nope/", "/api/v1/apps/17/"])
def test_what_is_not_there_is_a_problem_too(alice, address):
    is_problem(alice.get(address), 404)


@pytest.mark.parametrize("identity", ["0" * 36, "..%2f..%2fetc", "%00", "1" * 400, "apps"])
def test_an_id_that_is_none_finds_nothing(alice, identity):
    is_problem(alice.get(f"apps/{identity}/"), 404)
    assert alice.get(f"members/{identity}/").status_code == 404


def test_a_slash_at_the_end_may_be_left_out(alice):
    assert alice.get("apps").status_code == alice.get("apps/").status_code == 200


def test_methods_and_types_that_do_not_fit(alice, world):
    assert is_problem(alice("put", "apps/", {}), 405)["title"] == "Method Not Allowed"
    is_problem(alice("options", "apps/"), 405)
    is_problem(alice.get("apps/", accept="text/html"), 406)
    form = alice.client.post("/api/v1/apps/", {"name": "x"})
    is_problem(form, 415)
    plain = alice.client.post("/api/v1/apps/", "{}", content_type="text/plain")
    is_problem(plain, 415)


def test_a_body_that_cannot_be_read(alice):
    for raw in (b"{", b'{"a": 1, "a": 2}', b'{"name": "\\u0000"}', b"[" * 50_000):
        is_problem(alice.post("apps/", raw), 400)
    is_problem(alice.post("apps/", b'"' + b"x" * (1 << 20) + b'"'), 413)
    fault = problems.handle(RequestDataTooBig(), {"request": RequestFactory().get("/")})
    assert fault.status_code == 400


def test_faults_name_their_fields(alice, world):
    body = is_problem(alice.post("apps/", app_in(world, models=["x", 7], tier=5)), 400)
    assert {fault["field"] for fault in body["errors"]} == {"models.1", "tier"}
    body = is_problem(alice.post("apps/", app_in(world, name="No Slug")), 400)
    assert [fault["field"] for fault in body["errors"]] == ["name"]
    body = is_problem(alice.post("apps/", app_in(world, models=["unheard-of"])), 400)
    assert body["errors"] == [{"field": "models", "message": "no such model: unheard-of"}]


def test_a_name_that_is_taken_is_a_fault_of_the_request(alice, world):
    wanted = app_in(world)
    assert alice.post("apps/", wanted).status_code == 201
    is_problem(alice.post("apps/", wanted), 400)


def test_a_fault_of_ours_is_a_problem_without_its_cause(world):
    request = RequestFactory().get("/api/v1/apps/")
    try:
        raise RuntimeError("password=hunter2")
    except RuntimeError:
        answer = errors.broken(request)
    assert answer.status_code == 500
    assert answer["Content-Type"] == "application/problem+json"
    assert b"hunter2" not in answer.content


def test_every_answer_forbids_to_store_it(alice):
    assert alice.get("apps/")["Cache-Control"] == "no-store"
    assert alice.get("nope/")["Cache-Control"] == "no-store"


def test_a_session_writes_with_its_csrf_token_only(world):
    api = Api(world.person("owner"), checks_csrf=True)
    assert api.get("apps/").status_code == 200
    is_problem(api.post("apps/", app_in(world)), 403)
    assert not App.objects.filter(tenant=world.tenant, state="active").exclude(pk=world.app.pk)


@pytest.mark.parametrize(
    "header", ["Basic abc", "Bearer", "Bearer x", "Bearer \u00e4", "Bearer " + "x" * 300, "x"]
)
def test_what_is_no_token_of_ours_is_refused_even_beside_a_session(alice, header):
    answer = alice.get("apps/", authorization=header.encode().decode("latin-1"))
    is_problem(answer, 401)
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]


def test_a_token_in_the_address_is_none(world):
    token = as_itself(world.tenant, "auditor").token
    is_problem(Api().get(f"apps/?access_token={token}"), 401)


# Pages and filters.


def test_pages_hold_each_row_once_in_order(alice, world):
    for _ in range(7):
        world.new_app("more")
    seen, address = [], "apps/?limit=3"
    while address:
        page = alice.get(address).json()
        assert len(page["results"]) <= 3
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    stored = App.objects.filter(tenant=world.tenant).order_by("-created_at", "-id")
    assert seen == [str(app.id) for app in stored]
    assert len(seen) == 8


def test_a_page_keeps_its_filters(alice, world):
    for _ in range(3):
        world.new_app("more")
    following = alice.get("apps/?limit=1&state=active").json()["next"]
    assert "state=active" in following
    assert alice.get(following).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "%00",
        "e30",
        cursor(["2026-01-01T00:00:00Z"]),
        cursor(["never", "018f2f9e-0000-7000-8000-000000000001"]),
        cursor(["2026-01-01T00:00:00Z", "never"]),
        cursor([None, None]),
        cursor([True, True]),
        cursor([[1], {"a": 1}]),
        cursor([2**200, 1]),
        cursor(["99999-01-01", "\0"]),
        "W" * 500,
    ],
)
def test_a_cursor_of_nobody_is_refused(alice, text):
    is_problem(alice.get(f"apps/?cursor={text}"), 400)
    is_problem(alice.get(f"events/?cursor={text}"), 400)
    is_problem(alice.get(f"calls/?cursor={text}"), 400)


@pytest.mark.parametrize("text", ["0", "201", "-1", "x", "1e3", "", "9" * 30, "\u0663"])
def test_a_page_has_a_bounded_size(alice, text):
    is_problem(alice.get(f"apps/?limit={text}"), 400)
    is_problem(alice.get(f"calls/?limit={text}"), 400)


@pytest.mark.parametrize(
    "query",
    ["colour=red", "tenant=x", "tenant=", "state=gone", "name=a&name=b", "name=%00", "format=api"],
)
def test_a_filter_is_known_and_fits(alice, query):
    is_problem(alice.get(f"apps/?{query}"), 400)


def test_an_object_takes_no_filters(alice, world):
    is_problem(alice.get(f"apps/{world.app.id}/?state=active"), 400)


# Tags.


def test_a_change_is_made_to_what_was_read(alice, world):
    address = f"apps/{world.app.id}/"
    is_problem(alice("patch", address, {"tier": "gold"}), 428)
    tag = alice.get(address)["ETag"]
    changed = alice.patch(address, {"tier": "gold"}, if_match=tag)
    assert (changed.status_code, changed.json()["tier"]) == (200, "gold")
    assert changed["ETag"] == alice.get(address)["ETag"] != tag
    stale = alice.patch(address, {"tier": "lead"}, if_match=tag)
    body = is_problem(stale, 412)
    assert body["current"]["tier"] == "gold"
    assert stale["ETag"] == changed["ETag"]
    assert App.objects.get(pk=world.app.pk).tier == "gold"


def test_a_tag_is_checked_before_a_delete_if_one_is_sent(alice, world):
    address = f"apps/{world.app.id}/"
    is_problem(alice.delete(address, if_match='"old"'), 412)
    assert alice.delete(f"{address}?reason=tidy").status_code == 204
    assert Event.objects.filter(action="app.remove", reason="tidy").exists()
    is_problem(alice.get(address), 404)


def at_once(number, do):
    """Do the same in so many threads at the same moment; return what each was answered."""
    together, answers = threading.Barrier(number), []

    def one():
        together.wait()
        answers.append(do())
        connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_changes_at_the_same_moment_one_is_made(world):
    user = world.person("owner")
    address = f"apps/{world.app.id}/"
    tag = Api(user).get(address)["ETag"]
    apis = [Api(user) for _ in range(4)]
    answers = at_once(
        4, lambda: apis.pop().patch(address, {"tier": secrets.token_hex(4)}, if_match=tag)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


def test_of_the_same_write_at_the_same_moment_one_happens(world):
    user, wanted = world.person("owner"), app_in(world)
    apis = [Api(user) for _ in range(4)]
    answers = at_once(4, lambda: apis.pop().post("apps/", wanted, idempotency_key="race"))
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert App.objects.filter(tenant=world.tenant, name=wanted["name"]).count() == 1


def test_what_changes_on_its_own_is_not_in_a_tenants_tag(alice, world):
    before = alice.get(f"tenants/{world.tenant.id}/")
    alice.post("apps/", app_in(world))
    after = alice.get(f"tenants/{world.tenant.id}/")
    assert after.json()["revision"] > before.json()["revision"]
    assert after["ETag"] == before["ETag"]


# Writing once.


def test_a_write_with_a_key_happens_once_secret_included(alice, world):
    body = {"app": str(world.app.id), "name": "laptop"}
    first = alice.post("keys/", body, idempotency_key="one")
    again = alice.post("keys/", body, idempotency_key="one")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["ETag"] == first["ETag"]
    assert (again["Idempotency-Replayed"], "Idempotency-Replayed" in first) == ("true", False)
    assert VirtualKey.objects.filter(app=world.app).count() == 1
    secret = first.json()["secret"].encode()
    for stored in StoredAnswer.objects.all():
        assert secret not in bytes(stored.sealed)


def test_a_key_belongs_to_one_body_one_address_and_one_actor(alice, world):
    body = {"app": str(world.app.id), "name": "laptop"}
    alice.post("keys/", body, idempotency_key="two")
    is_problem(alice.post("keys/", {**body, "name": "phone"}, idempotency_key="two"), 409)
    assert alice.post("apps/", app_in(world), idempotency_key="two").status_code == 201
    other = Api(world.person("owner"))
    assert "Idempotency-Replayed" not in other.post("keys/", body, idempotency_key="two")


def test_a_write_that_failed_may_be_sent_again_with_its_key(alice, world):
    wanted = app_in(world, name="No Slug")
    is_problem(alice.post("apps/", wanted, idempotency_key="three"), 400)
    wanted["name"] = world.unique("slug")
    assert alice.post("apps/", wanted, idempotency_key="three").status_code == 201


def test_two_at_once_are_told_apart(alice, world):
    subject, told = keys_used._digest("x"), []

    def second():
        with transaction.atomic():
            told.append(keys_used._alone(subject))
        connections.close_all()

    with transaction.atomic():
        assert keys_used._alone(subject)
        other = threading.Thread(target=second)
        other.start()
        other.join()
    assert told == [False]
    assert connection.in_atomic_block is False


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "\u00e9"])
def test_a_key_is_printable_and_bounded(alice, world, key):
    answer = alice.post("apps/", app_in(world), idempotency_key=key.encode().decode("latin-1"))
    is_problem(answer, 400)


# Pace.


def test_an_actor_has_its_pace(world, monkeypatch):
    user = world.person("owner")
    monkeypatch.setattr(throttle, "ACTOR", sign_in.Pace(2, throttle.datetime.timedelta(hours=1)))
    answers = [Api(user).get("apps/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    is_problem(answers[-1], 429)
    assert int(answers[-1]["Retry-After"]) > 3000
    assert Api(world.person("owner")).get("apps/").status_code == 200
