"""Several credentials are used in turn; those that the provider refuses or limits rest."""

import asyncio

import pytest
from django.conf import settings

from gateway.proxy.keyring import FIRST_REST_S, LONGEST_REST_S, NONE, Keyring, Secret
from gateway.proxy.store import rests
from gateway.proxy.store.connection import Connection
from gateway.proxy.store.rests import Place, Rest
from gateway.services.providers import credential_set
from tests import books, estate
from tests.gateway.routing.test_order import deployment
from tests.mock_provider import start_mock_provider
from tests.stack import Gateway, eventually

AT = deployment("d")
A, B, C = (Secret(name, f"sk-{name}") for name in "abc")


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keyring(clock):
    return Keyring(clock)


def test_each_has_its_turn(keyring):
    picked = [keyring.pick(AT, (A, B, C)) for _ in range(6)]
    assert picked[:3] == picked[3:]
    assert set(picked) == {A, B, C}


def test_one_that_is_refused_rests_longer_each_time_and_no_other_does(keyring, clock):
    for number in range(8):
        keyring.refused(AT, A)
        rest_s = min(LONGEST_REST_S, FIRST_REST_S * 2**number)
        assert {keyring.pick(AT, (A, B)) for _ in range(4)} == {B}
        clock.now_s += rest_s - 1
        keyring.refused(AT, A)  # a call that was under way with it
        assert keyring.refusal(AT, (A, B)) is None
        refusal = keyring.refusal(AT, (A,))
        assert (refusal.code, refusal.status) == ("upstream_credential_rejected", 502)
        clock.now_s += 1
        assert keyring.refusal(AT, (A,)) is None


def test_one_that_is_taken_again_is_as_good_as_ever(keyring, clock):
    keyring.refused(AT, A)
    clock.now_s += FIRST_REST_S
    keyring.good(AT, A)
    keyring.refused(AT, A)
    clock.now_s += FIRST_REST_S
    assert keyring.refusal(AT, (A,)) is None


def test_a_limit_that_is_used_up_rests_for_as_long_as_it_says(keyring, clock):
    keyring.limited(AT, NONE, 7)
    keyring.limited(AT, NONE, 2)
    clock.now_s += 6
    refusal = keyring.refusal(AT, (NONE,))
    assert (refusal.code, refusal.retry_after_s) == ("upstream_rate_limited", 1)
    assert keyring.refusal(deployment("other"), (NONE,)) is None
    clock.now_s += 1
    assert keyring.refusal(AT, (NONE,)) is None


def test_where_all_rest_one_is_sent_all_the_same(keyring):
    for secret in (A, B):
        keyring.refused(AT, secret)
    assert keyring.pick(AT, (A, B)) == A


def test_what_is_known_is_bounded(keyring, clock, monkeypatch):
    monkeypatch.setattr("gateway.proxy.keyring.MOST_KNOWN", 10)
    for number in range(50):
        clock.now_s += 1
        keyring.limited(deployment(str(number)), A, 2)
    assert len(keyring._resting) <= 11


def test_what_another_worker_was_refused_rests_here_too(keyring, clock):
    place = Place(AT.id, A.id)
    keyring.adopt({place: Rest(clock.now_s + 20, 2)})
    assert keyring.pick(AT, (A, B)) == keyring.pick(AT, (A, B)) == B
    assert keyring.refusal(AT, (A,)).code == "upstream_credential_rejected"
    keyring.adopt({})  # the other found it good again
    assert keyring.refusal(AT, (A,)) is None


def test_what_others_say_is_believed_within_reason(keyring, clock):
    place = Place(AT.id, A.id)
    keyring.adopt({place: Rest(clock.now_s + 10**6, 10**6)})
    clock.now_s += LONGEST_REST_S
    assert keyring.refusal(AT, (A,)) is None
    keyring.adopt({place: Rest(clock.now_s - 1, 1)})
    assert keyring.refusal(AT, (A,)) is None


def test_what_was_not_told_yet_is_kept_whatever_others_say(keyring):
    keyring.refused(AT, A)
    keyring.adopt({})
    assert keyring.refusal(AT, (A,)) is not None
    keyring.limited(AT, B, 5)
    keyring.adopt({Place(AT.id, B.id): Rest(0.0, 1)})
    keyring.adopt({})
    assert keyring.refusal(AT, (B,)).code == "upstream_rate_limited"


def test_who_shares_hears_of_each_change(keyring, clock):
    heard = []
    keyring.changed = heard.append
    keyring.refused(AT, A)
    keyring.refused(AT, A)
    keyring.limited(AT, B, 5)
    keyring.good(AT, B)
    assert heard == [Place(AT.id, A.id)]
    clock.now_s += FIRST_REST_S
    keyring.good(AT, A)
    assert heard == [Place(AT.id, A.id)] * 2
    assert keyring.refused_at(Place(AT.id, A.id)) is None


def test_rests_are_shared_and_what_is_stale_is_forgotten(loop):
    place, old = Place(estate.name("d"), "a"), Place(estate.name("d"), "b")

    async def story():
        connection = Connection(settings.GATEHOUSE.redis_url, 1.0)
        keeping = asyncio.ensure_future(connection.keep())
        await asyncio.wait_for(connection.up.wait(), 10)
        await rests.tell(connection, place, Rest(5000.0, 3))
        await rests.tell(connection, old, Rest(1000.0, 1))
        first = await rests.look(connection, 1001.0)
        later = await rests.look(connection, 1000.0 + rests.STALE_S + 1)
        again = await rests.look(connection, 1001.0)
        await rests.forget(connection, place)
        last = await rests.look(connection, 1001.0)
        keeping.cancel()
        await asyncio.wait([keeping])
        return first, later, again, last

    first, later, again, last = loop.run(story())
    assert (first[place], first[old]) == (Rest(5000.0, 3), Rest(1000.0, 1))
    assert place in later
    assert old not in again
    assert place not in last


def test_no_secret_is_in_a_word_of_it():
    assert "sk-" not in repr((A, {A}))


# Over real sockets


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def pool(mock, model, *labels):
    """Make a house at a provider with credentials of these labels, each its own secret."""
    at = estate.provider(mock.base_url, secret="")
    for label in labels:
        credential_set(
            actor=estate.ACTOR, provider=at, secret=f"sk-pool-{label or 'first'}", label=label
        )
    return estate.estate(estate.route((at, model), price=books.PRICE), budgets=list(books.HARD))


def sent(mock, house):
    """Return the credentials that the provider was sent, in order."""
    found = [entry["headers"]["authorization"] for entry in books.entries(mock, house)]
    return [one.removeprefix("Bearer sk-pool-") for one in found]


def test_a_pool_is_used_in_turn(gateway, mock):
    house = pool(mock, "mock", "", "b", "c")
    for _ in range(6):
        assert gateway.chat(house.secret, house.model).status_code == 200
    assert sorted(sent(mock, house)) == ["b", "b", "c", "c", "first", "first"]


def test_one_that_is_refused_is_left_out_and_told(gateway, mock):
    model = estate.name("picky")
    mock.behave(model, status=401, times=1)
    house = pool(mock, model, "", "b")
    answers = [gateway.chat(house.secret, house.model).status_code for _ in range(4)]
    assert answers == [200] * 4
    refused, *others = sent(mock, house)
    assert len(others) == 4  # the first call was sent again with the other one
    assert refused not in others
    (line,) = eventually(
        lambda: [
            one
            for one in gateway.lines()
            if one.get("event") == "credential_refused" and one.get("model") == model
        ]
    )
    assert line["level"] == "error"
    assert "sk-pool" not in gateway.output()


def test_every_worker_lets_it_rest_within_a_second(mock, db):
    with Gateway(workers=2) as gateway:
        model = estate.name("picky")
        mock.behave(model, status=401)
        house = pool(mock, model, "")
        assert gateway.chat(house.secret, house.model).status_code == 502

        def asked():
            """Each call has a connection of its own, so that either worker has its turn."""
            before = len(books.entries(mock, house))
            for _ in range(6):
                assert gateway.chat(house.secret, house.model).status_code == 502
            return len(books.entries(mock, house)) - before

        eventually(lambda: asked() == 0, 3.0)
        assert len(books.entries(mock, house)) <= 8


def test_what_a_provider_says_is_left_is_kept_to(gateway, mock):
    model = estate.name("quota")
    mock.behave(model, remaining=0)
    house = pool(mock, model, "")
    assert gateway.chat(house.secret, house.model).status_code == 200
    answer = gateway.chat(house.secret, house.model)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "upstream_rate_limited")
    assert 25 <= int(answer.headers["retry-after"]) <= 30
    assert len(sent(mock, house)) == 1
