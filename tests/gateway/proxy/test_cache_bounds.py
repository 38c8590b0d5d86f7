"""Which kept answers are given to whom, and for how long."""

import concurrent.futures
import time

import pytest
import redis
from django.conf import settings

from gateway.proxy.store import circuits
from gateway.proxy.store.circuits import Opened
from gateway.services.cache import cache_purge
from gateway.services.routes import deployment_create, deployment_remove, route_update
from tenants.models import App
from tenants.services.apps import app_create, app_update
from tests import books, estate
from tests.caching import asked, given, house, how, key_of, republished, route_of, stored
from tests.mock_provider import start_mock_provider
from tests.scripted import Scripted, completion, stream
from tests.stack import Gateway, eventually

CACHE = "x-gatehouse-cache"


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def test_case_20_nothing_crosses_tenants(gateway):
    with Scripted(completion({"content": "Mine."})) as provider:
        at = estate.provider(provider.base_url)
        route = estate.route((at, "m"), price=books.PRICE, cache_ttl_s=3600)
        homes = [estate.estate(route, policy=None, cache=True) for _ in range(2)]
        for home in homes:  # one policy for both: their hashes are equal
            estate.attach(estate.OPEN, tenant=home.tenant)
            home.publish()
        for home in homes:
            assert how(gateway.chat(home.secret, home.model, "The same")) == "miss"
            assert how(gateway.chat(home.secret, home.model, "The same")) == "hit"
        assert len(provider.bodies) == 2
        ((mine, sealed),) = eventually(lambda: stored(homes[0])).items()
        ((other, _),) = eventually(lambda: stored(homes[1])).items()
        assert mine.rpartition(b":")[2] != other.rpartition(b":")[2]
        assert b"Mine." not in sealed
        client = redis.Redis.from_url(settings.GATEHOUSE.cache_url)
        client.set(other, sealed)  # even what somebody lays there is opened by its owner alone
        client.close()
        assert how(gateway.chat(homes[1].secret, homes[1].model, "The same")) == "miss"


def test_apps_of_a_tenant_share_unless_the_model_says_otherwise(gateway, mock):
    home, apart = house(mock.base_url), house(mock.base_url, cache_vary=["app"])
    for one, shared in ((home, "hit"), (apart, "miss")):
        app = app_create(
            actor=estate.ACTOR, tenant=one.tenant, name="second", models=[one.model], cache=True
        )
        other = key_of(app)
        one.publish()
        assert how(gateway.chat(one.secret, one.model)) == "miss"
        assert how(gateway.chat(other, one.model)) == shared
        assert how(gateway.chat(one.secret, one.model)) == "hit"


def test_answers_vary_by_user_and_tag_where_the_model_says_so(gateway, mock):
    home = house(mock.base_url, cache_vary=["user", "tag:team", "key"])
    seen = [
        how(gateway.chat(home.secret, home.model, headers=headers))
        for headers in (
            {"x-gatehouse-user": "ann"},
            {"x-gatehouse-user": "ben"},
            {"x-gatehouse-user": "ann", "x-gatehouse-tags": "team=red"},
            {"x-gatehouse-user": "ann"},
        )
    ]
    assert seen == ["miss", "miss", "miss", "hit"]
    another = key_of(home.app)
    assert how(gateway.chat(another, home.model, headers={"x-gatehouse-user": "ann"})) == "miss"


@pytest.mark.parametrize("lacks", ["app", "model"])
def test_both_model_and_app_must_want_it(gateway, mock, lacks):
    home = house(mock.base_url, cache_ttl_s=0 if lacks == "model" else 60)
    if lacks == "app":
        app_update(actor=estate.ACTOR, app=home.app, cache=False)
        home.publish()
    assert [how(gateway.chat(home.secret, home.model)) for _ in range(2)] == ["bypass"] * 2
    ends = eventually(lambda: books.records(home, "completed"))
    assert "cache" not in ends[0].body


def test_a_client_may_ask_for_an_answer_that_is_not_kept_or_new(gateway, mock):
    home = house(mock.base_url)

    def told(said):
        headers = {"cache-control": said} if said else None
        return how(gateway.chat(home.secret, home.model, headers=headers))

    assert told("no-store") == "bypass"
    assert told("") == "miss"
    assert told("No-Store, private") == "bypass"
    assert told("") == "hit"
    assert told("no-cache") == "bypass"
    assert told("") == "hit"
    assert asked(mock, home) == 4


def test_what_no_cache_brings_is_kept(gateway):
    with Scripted(completion({"content": "Old."})) as provider:
        home = house(provider.base_url)
        gateway.chat(home.secret, home.model)
        provider.prepared = 200, {}, completion({"content": "New."})
        assert (
            "New."
            in gateway.chat(home.secret, home.model, headers={"cache-control": "no-cache"}).text
        )
        again = gateway.chat(home.secret, home.model)
        assert how(again) == "hit"
        assert "New." in again.text


@pytest.mark.parametrize("streamed", [False, True])
def test_identical_calls_at_the_same_time_are_sent_once(gateway, mock, streamed):
    home = house(mock.base_url, "mock-latency-400-tokens-3")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [
            pool.submit(gateway.chat, home.secret, home.model, "At once", stream=streamed)
            for _ in range(8)
        ]
        found = [call.result() for call in calls]
    assert sorted(map(how, found)) == ["hit"] * 7 + ["miss"]
    assert len({one.text for one in found}) == 1
    assert asked(mock, home) == 1
    eventually(lambda: len(books.records(home, "completed")) == 8)


def test_case_20_who_waited_for_a_call_that_failed_goes_its_own_way(gateway, mock):
    model = estate.name("failing")
    mock.behave(model, status=500, latency=500, times=1)
    home = house(mock.base_url, model)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(gateway.chat, home.secret, home.model) for _ in range(4)]
        found = [call.result() for call in calls]
    assert sorted(one.status_code for one in found) == [200, 200, 200, 502]
    # Who came only when another had its answer already did not have to wait, and got that.
    assert asked(mock, home) + sum(one.headers.get(CACHE) == "hit" for one in found) == 4
    assert len(books.holds(home)) == 4  # each reserved for itself


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (completion({"content": "cut"}, finish="length"), {}),
        (stream((0, {"content": "cut"}), finish="length"), {"stream": True}),
        (b"no JSON", {}),
        (stream((0, {"content": "cut"}))[:-60], {"stream": True}),
    ],
)
def test_only_whole_answers_are_kept(gateway, body, fields):
    with Scripted(body) as provider:
        home = house(provider.base_url)
        for _ in range(2):
            gateway.chat(home.secret, home.model, **fields)
        assert len(provider.bodies) == 2
    assert not stored(home)


def test_an_answer_that_is_too_large_is_not_kept(gateway):
    with Scripted(completion({"content": "x" * 5000})) as provider:
        small = house(provider.base_url, cache_entry_bytes=4000)
        usual = house(provider.base_url)
        for _ in range(2):
            assert how(gateway.chat(small.secret, small.model)) == "miss"
        assert how(gateway.chat(usual.secret, usual.model)) == "miss"
        assert how(gateway.chat(usual.secret, usual.model)) == "hit"


def test_what_a_tenant_keeps_is_bounded(db):
    with (
        Gateway(environ={"GATEHOUSE_CACHE_TENANT_BYTES": "9000"}) as gateway,
        Scripted(completion({"content": "x" * 2000})) as provider,
    ):
        home = house(provider.base_url)
        for text in ("1", "2", "3", "4", "5", "6"):
            gateway.chat(home.secret, home.model, text)
        kept = stored(home)
        assert len(kept) == 3
        assert sum(map(len, kept.values())) < 9000
        assert how(gateway.chat(home.secret, home.model, "6")) == "hit"
        assert how(gateway.chat(home.secret, home.model, "1")) == "miss"


def test_an_answer_ends_with_its_time(gateway, mock):
    home = house(mock.base_url, cache_ttl_s=1)
    assert how(gateway.chat(home.secret, home.model)) == "miss"
    assert how(gateway.chat(home.secret, home.model)) == "hit"
    eventually(lambda: not stored(home))
    assert how(gateway.chat(home.secret, home.model)) == "miss"


@pytest.mark.parametrize("scope", ["tenant", "route", "app"])
def test_a_purge_ends_what_was_kept_until_then(gateway, mock, scope):
    home = house(mock.base_url)
    assert how(gateway.chat(home.secret, home.model)) == "miss"
    assert how(gateway.chat(home.secret, home.model)) == "hit"
    which = {"tenant": {}, "route": {"route": home.model}, "app": {"app": home.app}}[scope]
    cache_purge(actor=estate.ACTOR, tenant=home.tenant, **which)
    republished(gateway, home)
    assert how(gateway.chat(home.secret, home.model)) == "miss"
    assert how(gateway.chat(home.secret, home.model)) == "hit"


def test_a_purge_of_an_app_ends_what_others_got_from_it(gateway, mock):
    home = house(mock.base_url)
    app = app_create(
        actor=estate.ACTOR, tenant=home.tenant, name="second", models=[home.model], cache=True
    )
    other = key_of(app)
    home.publish()
    assert how(gateway.chat(home.secret, home.model)) == "miss"
    assert how(gateway.chat(other, home.model)) == "hit"
    cache_purge(actor=estate.ACTOR, tenant=home.tenant, app=App.objects.get(pk=home.app.pk))
    republished(gateway, home)
    assert how(gateway.chat(other, home.model)) == "miss"


def test_an_old_answer_is_given_while_the_provider_is_left_alone(gateway, mock):
    home = house(mock.base_url, cache_ttl_s=1, cache_stale_s=600)
    fresh = house(mock.base_url, cache_ttl_s=1)
    for one in (home, fresh):
        assert how(gateway.chat(one.secret, one.model)) == "miss"
    eventually(lambda: not stored(fresh))
    assert how(gateway.chat(home.secret, home.model, stream=True)) == "miss"
    deployments = [str(route.deployments.get().id) for route in (route_of(home), route_of(fresh))]
    url = settings.GATEHOUSE.redis_url
    circuits.mark(url, {one: Opened(time.time() + 60, "health") for one in deployments}, [])
    try:
        eventually(lambda: gateway.chat(fresh.secret, fresh.model).status_code == 503)
        found = eventually(lambda: given(gateway, home))
        assert int(found.headers["age"]) >= 1
        assert gateway.chat(fresh.secret, fresh.model).status_code == 503
        assert gateway.chat(home.secret, home.model, "Another").status_code == 503
    finally:
        circuits.mark(url, {}, deployments)
    eventually(
        lambda: any(
            one.body.get("cache", {}).get("stale") for one in books.records(home, "completed")
        )
    )


def test_a_deployment_that_is_gone_gives_no_more_answers(gateway, mock):
    """Nor does one that a policy forbids by now: it is judged like any target."""
    home = house(mock.base_url)
    assert how(gateway.chat(home.secret, home.model)) == "miss"
    route = route_of(home)
    gone = route.deployments.get()
    deployment_create(
        actor=estate.ACTOR, route=route, provider=gone.provider, model="mock-tokens-3"
    )
    deployment_remove(actor=estate.ACTOR, deployment=gone)
    republished(gateway, home)
    assert how(gateway.chat(home.secret, home.model)) == "miss"
    assert how(gateway.chat(home.secret, home.model)) == "hit"


def test_what_a_model_that_stands_in_says_is_not_kept(gateway, mock):
    model = estate.name("down")
    mock.behave(model, status=500)
    at = estate.provider(mock.base_url)
    other = estate.route((at, "mock"), price=books.PRICE)
    route = estate.route((at, model), price=books.PRICE, cache_ttl_s=60, fallbacks=[other.name])
    home = estate.estate(route, other, cache=True)
    found = [gateway.chat(home.secret, route.name) for _ in range(2)]
    assert [how(one) for one in found] == ["miss", "miss"]
    assert {one.headers["x-gatehouse-model"] for one in found} == {other.name}


def test_a_call_goes_on_where_the_cache_is_away(db, mock):
    with Gateway(environ={"GATEHOUSE_CACHE_URL": "redis://127.0.0.1:1/0"}) as gateway:
        home = house(mock.base_url)
        assert [how(gateway.chat(home.secret, home.model)) for _ in range(2)] == ["bypass"] * 2
        eventually(lambda: len(books.records(home, "completed")) == 2)
        end = books.records(home, "completed")[0]
        assert end.body["cache"] == {"outcome": "bypass"}


def test_the_metrics_tell_of_hits_and_of_what_they_saved(gateway, mock):
    home = house(mock.base_url)
    for _ in range(3):
        gateway.chat(home.secret, home.model)
    with gateway.client() as client:
        text = client.get("/metrics").text
    assert f'gatehouse_cache_total{{model="{home.model}",outcome="hit"}} 2.0' in text
    assert f'gatehouse_cache_total{{model="{home.model}",outcome="miss"}} 1.0' in text
    assert 'gatehouse_cache_saved_micros_total{currency="USD"}' in text


def test_the_time_of_a_model_may_be_changed(gateway, mock):
    home = house(mock.base_url)
    assert how(gateway.chat(home.secret, home.model)) == "miss"
    route_update(actor=estate.ACTOR, route=route_of(home), cache_ttl_s=0)
    republished(gateway, home)
    assert how(gateway.chat(home.secret, home.model)) == "bypass"
