"""Services in the declarative file: brought about, kept, changed, exported, pruned, refused."""

import re
import secrets
from pathlib import Path

import pytest

from audit.models import Event
from gateway import service_credentials
from gateway.declaration.apply import bring_about
from gateway.declaration.export import exported, render
from gateway.models import Service, ServiceCredential
from policies.pdp.language import parse_document
from tests.gateway.declaration.test_apply import (
    ENVIRON,
    OPERATOR,
    SECRET,
    WHOLE,
    Site,
    alone_with,
)

pytestmark = pytest.mark.usefixtures("db")

SERVICES = """\
services:
  - name: vectors-X
    base_url: "https://vectors.example/db"
    region: eu
    header: api-key
    scheme: ""
    credential: {env: VENDOR_KEY}
    price: {currency: USD, per_call: "0.0002"}
    retries: 2
    first_byte_s: 5
    operations:
      - name: search
        method: POST
        path: "/collections/{collection}/points/search"
        query: [timeout]
        body: json
        idempotent: true
      - {name: drop, method: DELETE, path: "/collections/{collection}", answer: none}
  - name: plain-X
    base_url: "http://127.0.0.1:9/db"
    allow_private: true
    operations: [{name: ping, method: GET, path: /ping, answer: text}]
tenants:
"""
CHANGES = (("tenants:\n", SERVICES), ("tier: null", "services: [vectors-X]"))


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path, secrets.token_hex(4))
    made.write(WHOLE, *CHANGES)
    return made


def service(site, stem="vectors"):
    return Service.objects.get(name=site.name(stem))


def test_a_file_brings_services_about(site):
    changes = site.changes()
    assert {("create", "service", "vectors"), ("create", "service", "plain")} <= changes
    row = service(site)
    assert (row.base_url, row.header, row.scheme) == ("https://vectors.example/db", "api-key", "")
    assert (row.price_pico, row.currency, row.retries, row.first_byte_s) == (
        200_000_000,
        "USD",
        2,
        5,
    )
    assert [one["name"] for one in row.operations] == ["search", "drop"]
    assert service_credentials.open_sealed(service_credentials.of(row)) == SECRET
    assert service_credentials.of(service(site, "plain")) is None
    assert site.tenant.apps.get().services == [row.name]
    last = Event.objects.count()
    assert site.changes() == set()
    assert Event.objects.count() == last


def test_what_differs_is_changed_and_told(site):
    site.apply()
    site.write(WHOLE, *CHANGES, ("retries: 2", "retries: 1"), ("0.0002", "0.0003"))
    (change,) = site.apply().changes
    assert (change.op, change.kind) == ("update", "service")
    assert change.fields == {
        "retries": {"from": 2, "to": 1},
        "price": {
            "from": {"currency": "USD", "per_call": "0.0002"},
            "to": {"currency": "USD", "per_call": "0.0003"},
        },
    }
    done = site.apply(environ={"VENDOR_KEY": "another"}).changes
    (sealed,) = (one for one in done if one.kind == "service")
    assert sealed.fields == {"credential": {"from": "kept", "to": "set"}}
    assert "another" not in str(sealed)
    assert service_credentials.open_sealed(service_credentials.of(service(site))) == "another"


def test_a_secret_is_kept_while_the_service_stays_where_it_is(site):
    site.apply()
    keep = (
        "    credential: {env: VENDOR_KEY}\n    price",
        "    credential: {keep: true}\n    price",
    )
    site.write(WHOLE, *CHANGES, keep)
    assert site.changes() == set()
    site.write(WHOLE, *CHANGES, keep, ("https://vectors.example", "https://moved.example"))
    ((line, _, said),) = site.refused()
    assert "could be kept" in said
    assert line == site.at("{keep: true}")[0]
    site.write(WHOLE, *CHANGES, ("    credential: {env: VENDOR_KEY}\n    price", "    price"))
    (change,) = site.apply().changes
    assert change.fields == {"credential": {"from": "kept", "to": None}}


def test_a_secret_whose_master_key_is_gone_is_sealed_anew(site):
    site.apply()
    ServiceCredential.objects.filter(service=service(site)).update(key_id="gone")
    assert site.changes() == {("update", "service", "vectors")}


def test_what_is_exported_brings_it_all_about_elsewhere(site):
    with alone_with(site):
        text = render(exported())
        assert SECRET not in text
        site.path.write_text(text)
        assert bring_about(site.path, {}, actor=OPERATOR, prune=True)[0] == ()
        site.path.write_text("version: 1\n")
        bring_about(site.path, {}, actor=OPERATOR, prune=True)
        assert not Service.objects.exists()
        site.path.write_text(text.replace("{keep: true}", "{env: VENDOR_KEY}"))
        bring_about(site.path, ENVIRON, actor=OPERATOR, prune=True)
        assert render(exported()) == text


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ("services: [vectors-X]", "services: [vector-X]", "vector-X]", "there is no service"),
        ("name: plain-X", "name: vectors-X", 'vectors-X\n    base_url: "http:', "stands twice"),
        ("https://vectors.example/db", "http://v.example", '"http://v.example"', "clear-text"),
        ("header: api-key", "header: host", "host\n", "cannot stand in the header"),
        ('scheme: ""', 'scheme: "a b"', "api-key", "one word"),
        ("method: POST", "method: HEAD", "HEAD", "expected one of"),
        ("{collection}/points", "{Collection}/points", '"/coll', "a step"),
        ("method: POST", "method: GET", "- name: search", "GET takes no body"),
        ("name: drop", "name: search", "- name: search", "stands twice"),
        ("answer: none", "answer: bytes", "bytes", "expected one of"),
        ("per_call:", "per_request:", 'per_request: "0.0002', "no key"),
        ("retries: 2", "retries: 77", "77\n", "not between 0 and 5"),
        ("name: ping, ", "", "{method: GET, path: /ping", "needs the key name"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(site, old, new, at, said):
    site.write(WHOLE, *CHANGES, (old, new))
    found = site.refused()
    assert any(said in message for _, _, message in found), found
    assert site.at(at) in {(line, column) for line, column, _ in found}, found
    assert not Service.objects.filter(name=site.name("vectors")).exists()


def test_a_service_that_an_app_lists_is_not_pruned_away(site):
    with alone_with(site):
        site.write(WHOLE)
        changes, _ = bring_about(site.path, ENVIRON, actor=OPERATOR, prune=True)
        assert {(one.op, one.kind) for one in changes} == {("remove", "service"), ("update", "app")}
        assert not Service.objects.exists()


DOCUMENT = Path(__file__).parents[3] / "docs" / "services.md"


def test_what_the_document_shows_applies(site):
    file, rules = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    for name in ("vectors", "acme"):
        file = file.replace(f"name: {name}\n", f"name: {name}-{site.mark}\n")
    file = file.replace("services: [vectors]", f"services: [vectors-{site.mark}]")
    file = file.replace("models: [gpt-4o-mini], ", "")
    site.path.write_text(f"version: 1\n{file}")
    site.apply(environ={"QDRANT_API_KEY": SECRET})
    assert [one["name"] for one in service(site).operations] == [
        "search",
        "upsert",
        "describe",
        "drop",
    ]
    assert len(parse_document(f"policy: p\n{rules}").rules) == 3
