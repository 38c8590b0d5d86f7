"""A bundle is what was compiled, byte for byte, or it is refused."""

import hashlib
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bundle import (
    FORMAT,
    App,
    Budget,
    Bundle,
    BundleError,
    Deployment,
    Limit,
    Operation,
    PolicyText,
    Price,
    Route,
    SealedCredential,
    Service,
    decode,
    encode,
)

PRICE = Price("USD", 150_000, 600_000, None, 0, 0)
DEPLOYMENT = Deployment(
    id="d",
    provider="openai",
    dialect="openai",
    base_url="https://api.openai.com/v1",
    allow_private=False,
    model="gpt-4o-mini",
    weight=1,
    priority=0,
    region="us",
    prices=(PRICE,),
    credential=SealedCredential(b"\x00\xff", "0123456789abcdef", "row"),
)
BUNDLE = Bundle(
    format=FORMAT,
    revision=7,
    tenant_id="t",
    tenant="acme",
    active=True,
    timezone="Europe/Berlin",
    evidence="strict",
    tags=("team",),
    pii_countries=("DE",),
    pii_phone_regions=("DE",),
    apps={"a": App("a", "helpdesk", "", active=True, models=("gpt",), policies=())},
    routes={"gpt": Route("gpt", 16384, 2048, (DEPLOYMENT,))},
    budgets=(
        Budget("b", "month", 2**52, "USD", "month", hard=True, group_by=("user",), app_id="",
               key_id="", starts=(0, 2**40)),
    ),
    limits=(Limit("l", "rpm", "requests", 600, 60, 100, "", ""),),
    policies={"house": PolicyText("house", 3, "h", '{"ä": "\\u0000"}')},
    platform_policies=(),
    tenant_policies=("house",),
)  # fmt: skip


def stored(value):
    body = msgspec.json.encode(value)
    return body, hashlib.sha256(body).hexdigest()


def test_a_bundle_comes_back_as_it_was():
    assert decode(*encode(BUNDLE)) == BUNDLE


def test_a_bundle_from_before_there_were_services_is_read():
    body, _ = encode(BUNDLE)
    older = msgspec.json.decode(body)
    del older["services"], older["apps"]["a"]["services"]
    assert decode(*stored(older)) == BUNDLE


def test_services_come_back_as_they_were():
    search = Operation("search", "POST", "/c/{name}", ("limit",), "json", "text", idempotent=True)
    route = Route("/services/vectors", 0, 0, (DEPLOYMENT,))
    service = Service("vectors", route, (search,), "api-key", "")
    whole = replace(BUNDLE, services={"vectors": service})
    assert decode(*encode(whole)) == whole


@given(st.text(), st.integers(0, 2**52), st.lists(st.text(max_size=5), unique=True, max_size=4))
def test_whatever_it_says_comes_back(text, number, names):
    apps = {name: App(name, text, "", active=True, models=(), policies=()) for name in names}
    other = replace(BUNDLE, tenant=text.encode("utf-8", "replace").decode(), revision=number)
    other = replace(
        other,
        apps={
            key.encode("utf-8", "replace").decode(): replace(app, name="n", id="i")
            for key, app in apps.items()
        },
    )
    assert decode(*encode(other)) == other


def test_equal_bundles_have_equal_bytes():
    two = {"b": BUNDLE.apps["a"], "a": BUNDLE.apps["a"]}
    swapped = dict(reversed(two.items()))
    assert encode(replace(BUNDLE, apps=two)) == encode(replace(BUNDLE, apps=swapped))


def test_a_bundle_of_before_candidates_and_exemptions_still_loads():
    body = msgspec.json.decode(encode(BUNDLE)[0])
    for name in ("candidates", "exemptions"):
        assert body.pop(name) == []
    assert decode(*stored(body)) == BUNDLE


def test_a_changed_byte_is_refused():
    body, checksum = encode(BUNDLE)
    changed = body.replace(b"acme", b"acne")
    with pytest.raises(BundleError, match="checksum"):
        decode(changed, checksum)


def test_another_format_is_refused():
    with pytest.raises(BundleError, match="has format 99, this version reads"):
        decode(*encode(replace(BUNDLE, format=99)))


@pytest.mark.parametrize("value", [{}, [], {"format": 1}, None])
def test_another_shape_is_refused(value):
    with pytest.raises(BundleError, match="another shape"):
        decode(*stored(value))


def test_what_is_no_json_is_refused():
    body = b"{"
    with pytest.raises(BundleError, match="another shape"):
        decode(body, hashlib.sha256(body).hexdigest())


def test_a_bundle_from_before_transformations_still_loads():
    value = msgspec.json.decode(encode(BUNDLE)[0])
    for one in (*value["apps"].values(), *value["routes"].values()):
        del one["transformation"]
    del value["default_model"], value["tier_models"]
    assert decode(*stored(value)) == BUNDLE
