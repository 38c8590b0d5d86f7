"""Guards in the declarative file: brought about, kept, renewed, exported, pruned, refused."""

import secrets

import pytest

from gateway.declaration.export import exported, render
from gateway.guards import sealing
from gateway.guards.models import Guard
from tests.gateway.declaration.test_apply import ENVIRON, WHOLE, Site
from tests.mock_guard import SECRET

pytestmark = pytest.mark.usefixtures("db")

NEWER = "guard-canary-renewed-3"
KEYS = ENVIRON | {"GUARD_KEY": SECRET}
GUARDS = """\
  - name: acme-X
    guards:
      - name: names
        url: "https://guard.example/inspect/"
        kinds: [PROJECT_NAME, CUSTOMER]
        phases: [request, answer]
        deadline_ms: 150
        redacted: true
        secret: {env: GUARD_KEY}
      - {name: plain, url: "http://127.0.0.1:9/", allow_private: true, kinds: [CUSTOMER],
         secret: {env: GUARD_KEY}}
"""
CHANGE = ("  - name: acme-X\n", GUARDS)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path, secrets.token_hex(4))
    made.write(WHOLE, CHANGE)
    return made


def guard(site, name="names"):
    return Guard.objects.get(tenant=site.tenant, name=name)


def opened(row):
    return [sealing.open_sealed(one) for one in sealing.held(row)]


def test_a_file_brings_guards_about(site):
    changes = site.changes(environ=KEYS)
    assert {("create", "guard", "acme/names"), ("create", "guard", "acme/plain")} <= changes
    row = guard(site)
    assert (row.url, row.kinds, row.phases) == (
        "https://guard.example/inspect/",
        ["PROJECT_NAME", "CUSTOMER"],
        ["request", "answer"],
    )
    assert (row.deadline_ms, row.redacted, row.cache, row.tells_user) == (150, True, False, False)
    assert opened(row) == [SECRET]
    assert guard(site, "plain").phases == ["request"]
    assert site.changes(environ=KEYS) == set()


def test_another_secret_renews_with_an_overlap(site):
    site.apply(environ=KEYS)
    changes = site.changes(environ=KEYS | {"GUARD_KEY": NEWER})
    assert changes == {("update", "guard", "acme/names"), ("update", "guard", "acme/plain")}
    assert opened(guard(site)) == [NEWER, SECRET]
    site.write(site.path.read_text(), ("{env: GUARD_KEY}", "{keep: true}"), ("ms: 150", "ms: 90"))
    assert site.changes() == {("update", "guard", "acme/names")}
    assert opened(guard(site)) == [NEWER, SECRET]


def test_what_is_exported_applies_without_a_change(site):
    site.apply(environ=KEYS)
    (tenant,) = [one for one in exported()["tenants"] if one["name"] == site.name("acme")]
    names, plain = tenant["guards"]
    assert names == {
        "name": "names",
        "url": "https://guard.example/inspect/",
        "kinds": ["PROJECT_NAME", "CUSTOMER"],
        "phases": ["request", "answer"],
        "deadline_ms": 150,
        "redacted": True,
        "secret": {"keep": True},
    }
    assert plain["allow_private"] is True
    assert SECRET not in render(tenant)


def test_what_the_file_does_not_name_any_more_stays_unless_pruned(site):
    site.apply(environ=KEYS)
    site.write(WHOLE)
    assert site.changes(environ=KEYS) == set()
    assert Guard.objects.filter(tenant=site.tenant).count() == 2


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("https://guard.example/inspect/", "http://guard.example/", '"http://g', "clear-text http"),
        ("PROJECT_NAME", "project", "project", "a kind"),
        ("[request, answer]", "[later]", "later", "later"),
        ("ms: 150", "ms: 9", "ms: 9\n", "10"),
        ("name: plain", "name: names", "names, url", "names"),
        (
            "secret: {env: GUARD_KEY}\n      -",
            "secret: {keep: true}\n      -",
            "{keep",
            "no secret",
        ),
        ("redacted: true", "redact: true", "redact: true", "redact"),
    ],
)
def test_faults_stand_at_their_place(site, old, new, place, said):
    site.write(WHOLE, (CHANGE[0], GUARDS.replace(old, new)))
    told = site.refused(environ=KEYS)
    line, _ = site.at(place)
    assert [(at, said in message) for at, _, message in told] == [(line, True)]


def test_a_guard_needs_a_secret_of_some_length(site):
    ((line, _, message),) = site.refused(environ=KEYS | {"GUARD_KEY": "short"})[:1]
    assert "16 to 4096" in message
    assert line == site.at("{env: GUARD_KEY}")[0]
