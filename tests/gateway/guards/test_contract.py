"""What is said to a guard, and what of its answer is believed."""

import hashlib
import hmac
import json
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bundle import Guard, SealedCredential
from gateway.guards import contract
from gateway.guards.contract import Asked, BadAnswer
from policies.detectors.finding import Finding, Leaf

GUARD = Guard(
    id="1",
    name="names",
    url="https://guard.example/inspect",
    allow_private=False,
    kinds=("PROJECT_NAME", "CUSTOMER"),
    phases=("request",),
    deadline_ms=300,
    tells_user=False,
    redacted=False,
    cache=False,
    secrets=(SealedCredential(b"sealed", "key", "row"),),
)
LEAVES = [
    Leaf("Bluebird is late", "user", "messages[0].content"),
    Leaf("", "user", "user"),
    Leaf("\U0001f426bird", "tool", "messages[1].content"),
]
ASKED = Asked("request", "call-1", "acme", "helpdesk", "gpt", "ann")
FOUND = {"kind": "PROJECT_NAME", "score": 0.9, "leaf": 0, "start": 0, "end": 8}


def answer(*findings, **more):
    return json.dumps({"version": 1, "findings": list(findings), **more}).encode()


def but(**changes):
    found = {**FOUND, **changes}
    return {name: value for name, value in found.items() if value is not ...}


def test_a_request_says_whose_call_it_is_and_what_is_in_it():
    told = orjson.loads(contract.written(GUARD, ASKED, LEAVES[:1]))
    assert told == {
        "version": 1,
        "guard": "names",
        "phase": "request",
        "call_id": "call-1",
        "tenant": "acme",
        "app": "helpdesk",
        "model": "gpt",
        "redacted": False,
        "leaves": [
            {"role": "user", "place": "messages[0].content", "text": "Bluebird is late"},
        ],
    }


def test_the_end_user_is_told_only_where_the_guard_is_to_know():
    told = orjson.loads(contract.written(replace(GUARD, tells_user=True), ASKED, LEAVES))
    assert told["user"] == "ann"


def test_each_secret_signs_time_and_body():
    headers = contract.signed(b"{}", ["new-secret", "old-secret"], 1_700_000_000)
    assert headers["x-gatehouse-timestamp"] == "1700000000"
    expected = [
        "v1=" + hmac.new(secret, b"1700000000.{}", hashlib.sha256).hexdigest()
        for secret in (b"new-secret", b"old-secret")
    ]
    assert headers["x-gatehouse-signature"].split(",") == expected


def test_a_good_answer_is_findings():
    whole = but(leaf=2, start=..., end=..., score=1)
    found = contract.read(answer(FOUND, whole, but(leaf=2, start=1, end=5)), GUARD, LEAVES)
    assert found == (
        Finding("PROJECT_NAME", "custom", 0.9, 0, 0, 8, "raw"),
        Finding("PROJECT_NAME", "custom", 1.0, 2, 0, 5, "raw"),
        Finding("PROJECT_NAME", "custom", 0.9, 2, 1, 5, "raw"),
    )
    assert contract.read(answer(), GUARD, LEAVES) == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'{"version": 1}',
        b'{"findings": []}',
        b'{"version": 2, "findings": []}',
        b'{"version": 1, "findings": [], "allow": true}',
        b'{"version": 1, "findings": []} {}',
        b'{"version": 1, "findings": [{"kind": "PROJECT_NAME", "score": NaN, "leaf": 0}]}',
        b'\xff{"version": 1, "findings": []}',
        answer(*[FOUND] * (contract.MOST_FINDINGS + 1)),
        answer() + b" " * contract.MOST_BYTES,
        answer(but(kind="EMAIL_ADDRESS")),
        answer(but(kind="project_name")),
        answer(but(kind=1)),
        answer(but(kind=...)),
        answer(but(score=1.01)),
        answer(but(score=-0.1)),
        answer(but(score="0.9")),
        answer(but(score=True)),
        answer(but(score=...)),
        answer(but(leaf=3)),
        answer(but(leaf=-1)),
        answer(but(leaf=0.5)),
        answer(but(leaf=...)),
        answer(but(start=...)),
        answer(but(end=...)),
        answer(but(start=8)),
        answer(but(start=9)),
        answer(but(start=-1)),
        answer(but(end=17)),
        answer(but(leaf=2, start=0, end=6)),
        answer(but(leaf=1, start=0, end=0)),
        answer(but(text="Bluebird")),
    ],
)
def test_whatever_is_not_as_agreed_is_no_answer(raw):
    with pytest.raises(BadAnswer) as refused:
        contract.read(raw, GUARD, LEAVES)
    assert "Bluebird" not in str(refused.value)


@given(st.binary(max_size=200))
def test_no_bytes_are_anything_but_findings_or_no_answer(raw):
    try:
        found = contract.read(raw, GUARD, LEAVES)
    except BadAnswer:
        return
    assert all(one.category == "custom" for one in found)


@pytest.mark.parametrize(
    ("headers", "is_good"),
    [
        ({"content-type": "application/json"}, True),
        ({"content-type": "Application/JSON; charset=utf-8"}, True),
        ({"content-type": "application/vnd.acme+json"}, True),
        ({"content-type": "application/json", "content-encoding": "identity"}, True),
        ({"content-type": "application/json", "content-encoding": "gzip"}, False),
        ({"content-type": "text/html"}, False),
        ({}, False),
    ],
)
def test_an_answer_is_labelled_as_plain_json(headers, is_good):
    if is_good:
        contract.check_head(headers)
        return
    with pytest.raises(BadAnswer):
        contract.check_head(headers)


def test_the_fingerprint_is_of_all_but_the_secrets():
    known = contract.fingerprint(GUARD)
    assert known == contract.fingerprint(replace(GUARD, secrets=()))
    assert known != contract.fingerprint(replace(GUARD, deadline_ms=301))
    assert known != contract.fingerprint(replace(GUARD, kinds=("CUSTOMER",)))
