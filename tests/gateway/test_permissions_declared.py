"""S1: every page says who may open it, and keeps its word."""

import uuid

import pytest
from django.test import Client, RequestFactory
from django.urls import URLPattern, clear_url_caches, get_resolver, path, reverse

from gateway import middleware, urls
from gateway.access import Permission, permission_of, public, requires, signed_in
from tenants.permissions import ACTIONS, MATRIX
from tests.gateway.call_records import World

pytestmark = pytest.mark.usefixtures("db")

PUBLIC = {
    "download",
    "oauth_introspect",
    "oauth_revoke",
    "oauth_token",
    "schema",
    "setup",
    "sign_in",
}
SAMPLES = {
    "token": "x:y",
    "number": 1,
    "membership_id": 0,
    "attachment_id": 0,
    "event_id": 0,
    "noun": "apps",
}
NO_ID = uuid.UUID(int=7 << 76 | 2 << 62)


def pages(patterns=None):
    """Walk the resolver: every pattern with a view, however deep it lies."""
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(entry, URLPattern):
            yield entry
        else:
            yield from pages(entry.url_patterns)


def undeclared(patterns=None):
    return [entry.name for entry in pages(patterns) if permission_of(entry.callback) is None]


def address(entry):
    wanted = entry.pattern.converters
    return reverse(entry.name, kwargs={name: SAMPLES.get(name, NO_ID) for name in wanted})


def test_every_page_declares_who_may_open_it():
    assert len(list(pages())) >= 6
    assert undeclared() == []


def test_the_walk_sees_a_page_that_declares_nothing():
    assert undeclared([path("x", lambda request: None, name="bare")]) == ["bare"]


def test_only_these_pages_are_public():
    kinds = {entry.name: permission_of(entry.callback).kind for entry in pages()}
    assert {name for name, kind in kinds.items() if kind == "public"} == PUBLIC


def test_declared_actions_are_known_to_the_matrix():
    declared = [permission_of(entry.callback) for entry in pages()]
    actions = {each.detail for each in declared if each.kind == "action"}
    assert actions
    assert actions <= ACTIONS
    with pytest.raises(ValueError, match=r"call\.gaze"):
        requires("call.gaze")


@pytest.mark.parametrize("entry", list(pages()), ids=lambda entry: entry.name)
def test_a_stranger_is_sent_to_sign_in_by_every_page_but_the_public_ones(entry):
    if permission_of(entry.callback).kind in ("public", "api"):  # the API: rest/test_matrix.py
        return
    for method in ("get", "post", "put", "delete", "head", "options"):
        answer = getattr(Client(), method)(address(entry))
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("sign_in"))


@pytest.mark.parametrize("role", [*MATRIX, None])
def test_a_role_opens_what_the_matrix_says(unique, role):
    world = World(unique)
    client = Client()
    client.force_login(world.person(*([role] if role else [])))
    for entry in pages():
        declared = permission_of(entry.callback)
        if declared.kind != "action":
            continue
        may = role is not None and declared.detail in MATRIX[role]
        answer = client.get(address(entry))
        assert (entry.name, answer.status_code == 403) == (entry.name, not may)
        if not may:
            assert declared.detail in answer.content.decode()


def test_what_declares_nothing_is_closed(monkeypatch):
    def bare(_request):
        raise AssertionError("opened")

    monkeypatch.setattr(urls, "urlpatterns", [*urls.urlpatterns, path("bare", bare, name="bare")])
    clear_url_caches()
    try:
        assert Client().get("/bare").status_code == 403
    finally:
        monkeypatch.undo()
        clear_url_caches()
    declared = middleware.Declared(bare)
    assert declared.process_view(None, public("a test")(bare), (), {}) is None


def test_a_page_for_people_gets_the_actor(unique):
    world = World(unique)
    user = world.person("auditor")
    seen = []
    page = signed_in("a test")(lambda request, actor: seen.append(actor))
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.5")
    request.user = user
    page(request)
    (actor,) = seen
    assert (actor.id, actor.source) == (str(user.id), "203.0.113.5")
    assert actor.roles_in(str(world.tenant.id)) == {"auditor"}
    assert permission_of(page) == Permission("signed in", "a test")


def test_somebody_whose_account_was_closed_is_out_at_once(unique):
    user = World(unique).person("owner")
    client = Client()
    client.force_login(user)
    assert client.get("/calls").status_code == 200
    user.is_active = False
    user.save()
    assert client.get("/calls").status_code == 302


def test_a_role_that_was_taken_is_gone_at_once(unique):
    user = World(unique).person("owner")
    client = Client()
    client.force_login(user)
    assert client.get("/calls").status_code == 200
    user.memberships.all().delete()
    assert client.get("/calls").status_code == 403
