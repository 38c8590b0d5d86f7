"""What holds for every page of the console, and that it reads what the data plane writes."""

import datetime
import gzip
import re
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway import navigation
from gateway.access import permission_of
from tests.gateway.call_records import World
from tests.gateway.test_permissions_declared import pages
from tests.gateway.views.reading import body, signed_in

pytestmark = pytest.mark.usefixtures("db")

SECOND = datetime.timedelta(seconds=1)
QUERIES_MAX = 12


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def client(world):
    return signed_in(world.person("auditor"))


def every_page(world):
    """Return one address of each state that a page can be in, for somebody who may see it."""
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


def test_no_page_needs_what_the_content_security_policy_forbids(world, client):
    strangers = Client()
    answers = [client.get(path) for path in [*every_page(world), "/nothing"]]
    answers += [strangers.get(path) for path in ("/sign-in", "/setup/x")]
    for answer in answers:
        assert answer["Content-Type"] == "text/html; charset=utf-8"
        forbidden = r"<script(?! src=\"/static/)|<style|\sstyle=|\son\w+=|javascript:"
        assert not re.search(forbidden, body(answer), re.IGNORECASE)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', body(answer))
        assert "{{" not in body(answer)
        assert "{%" not in body(answer)


def test_every_page_names_itself_and_its_parts(world, client):
    for path in every_page(world):
        page = body(client.get(path))
        assert len(re.findall(r"<h1[ >]", page)) == 1
        assert re.search(r"<title>[^<]{3,} · Gatehouse</title>", page)
        assert 'lang="en"' in page
        assert 'href="#main"' in page
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        for target in re.findall(r'(?:aria-labelledby|aria-describedby|for)="([^"]+)"', page):
            assert set(target.split()) <= set(ids)
        assert not re.search(r"<th(?![^>]*scope)[ >]", page)


@pytest.mark.parametrize("calls_made", [1, 20])
def test_a_page_takes_few_queries_however_many_calls(world, client, calls_made):
    now = timezone.now()
    for n in range(calls_made):
        call = world.call(now - n * SECOND).admitted().completed()
    for path in ("/calls", "/calls?outcome=permitted", f"/calls/{call.id}"):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        assert len(queries) <= QUERIES_MAX


def test_components_are_compiled_and_their_markup_stands_in_one_folder(world, client):
    for path in every_page(world):
        assert "<c-" not in body(client.get(path))
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
    assert navigation.page_names() == named


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
    assert f'aria-label="Tenant: {world.tenant.name}"' in page


def test_the_first_view_is_light():
    built = Path(__file__).parents[2] / "gateway/static/dist"
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in built.iterdir()}
    assert set(sizes) == {"console.css", "console.js"}
    assert sum(sizes.values()) <= 60_000
