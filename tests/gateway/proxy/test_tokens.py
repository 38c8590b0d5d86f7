"""Tokens that stand in for a credential: fetched once for all who wait, and again in time."""

import asyncio
import json

import pytest

from gateway.bundle import Deployment
from gateway.proxy.attempt import AttemptFailed
from gateway.proxy.tokens import MARGIN_S, Tokens
from gateway.proxy.upstream import Pools, Timeouts
from tests.mock_provider import start_mock_provider


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


def deployment(dialect="azure-openai"):
    return Deployment(
        id="d",
        provider="p",
        dialect=dialect,
        base_url="http://127.0.0.1:9",
        allow_private=True,
        model="m",
        weight=1,
        priority=0,
        region="",
        prices=(),
        credential=None,
    )


class Clock:
    """A clock that stands where it was put."""

    now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def house(mock, loop):
    """Tokens with a clock, and the credential that they are for."""
    mock.reset()
    clock, pools = Clock(), Pools(Timeouts(1, 1, 1, 5))
    told = {"tenant_id": "t", "client_id": "c", "client_secret": "secret"}
    secret = json.dumps({**told, "authority": mock.origin})
    yield Tokens(pools, clock), clock, secret
    loop.run(pools.close())


def asked(mock):
    return [entry for entry in mock.books() if entry["model"] == "token"]


def test_many_calls_at_once_ask_for_one_token(mock, loop, house):
    tokens, _, secret = house

    async def several():
        return await asyncio.gather(*(tokens.usable(deployment(), secret) for _ in range(20)))

    assert set(loop.run(several())) == {"Bearer entra-token-1"}
    (entry,) = asked(mock)
    assert entry["path"] == "/t/oauth2/v2.0/token"
    assert entry["body"]["client_secret"] == "secret"


def test_a_token_is_replaced_shortly_before_it_ends(mock, loop, house):
    tokens, clock, secret = house
    assert loop.run(tokens.usable(deployment(), secret)) == "Bearer entra-token-1"
    clock.now_s += 3599 - MARGIN_S - 1
    assert loop.run(tokens.usable(deployment(), secret)) == "Bearer entra-token-1"
    clock.now_s += 2
    assert loop.run(tokens.usable(deployment(), secret)) == "Bearer entra-token-2"


def test_a_warm_token_is_there_without_giving_way(loop, house):
    tokens, _, secret = house
    loop.run(tokens.usable(deployment(), secret))
    step = tokens.usable(deployment(), secret)
    with pytest.raises(StopIteration) as ended:
        step.send(None)
    assert ended.value.value == "Bearer entra-token-1"


@pytest.mark.parametrize("secret", [None, "an-api-key"])
def test_what_is_no_client_is_sent_as_it_is(loop, house, secret):
    assert loop.run(house[0].usable(deployment(), secret)) == secret
    assert loop.run(house[0].usable(deployment("openai"), "{}")) == "{}"


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ({"status": 401}, "upstream_credential_rejected"),
        ({"status": 400}, "upstream_credential_rejected"),
        ({"status": 429}, "upstream_error"),
        ({"status": 503}, "upstream_error"),
        ({"lasts": 0}, "upstream_error"),
    ],
)
def test_a_failure_is_told_to_all_who_wait_and_forgotten_soon(mock, loop, house, behaviour, code):
    tokens, clock, secret = house
    mock.behave("token", times=1, message="no secret here", **behaviour)

    async def several():
        calls = [tokens.usable(deployment(), secret) for _ in range(3)]
        return await asyncio.gather(*calls, return_exceptions=True)

    failures = loop.run(several())
    assert all(isinstance(failure, AttemptFailed) for failure in failures)
    assert {(f.refusal.code, f.sent, f.billed, f.again) for f in failures} == {
        (code, False, False, True)
    }
    assert len({id(failure.refusal) for failure in failures}) == 3
    assert all("secret" not in failure.refusal.message for failure in failures)
    assert len(asked(mock)) == 1
    clock.now_s += 1.1
    assert loop.run(tokens.usable(deployment(), secret)) == "Bearer entra-token-2"


def test_nobody_there_is_an_error_of_the_provider(loop, house):
    told = {"tenant_id": "t", "client_id": "c", "client_secret": "s"}
    secret = json.dumps({**told, "authority": "http://127.0.0.1:1"})
    with pytest.raises(AttemptFailed) as caught:
        loop.run(house[0].usable(deployment(), secret))
    assert caught.value.refusal.code == "upstream_error"


def test_a_credential_that_is_none_is_rejected(loop, house):
    with pytest.raises(AttemptFailed) as caught:
        loop.run(house[0].usable(deployment(), '{"tenant_id": "t"}'))
    assert caught.value.refusal.code == "upstream_credential_rejected"
    assert not caught.value.sent
