"""A tenant's own detectors in the console: written as YAML, refused at their line, shown again."""

import pytest

from audit.models import Event
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")

GOOD = "- kind: PROJECT_CODENAME\n  words: [Bluebird, Red Kite]\n"
STORED = [{"kind": "PROJECT_CODENAME", "words": ["Bluebird", "Red Kite"]}]
BAD = "- kind: CODE\n  words: [x]\n  socre: 1\n- kind: NUMBER\n  patterns: ['ab(?=c)']\n"


@pytest.fixture
def admin(world):
    return signed_in(world.person("admin"))


def test_they_are_written_shown_and_ended(world, admin):
    path = f"/tenants/{world.tenant.id}/detectors"
    assert "Policies see what is found" in text(admin.get(path))
    answer = admin.post(path, {"detectors": GOOD, "reason": "merger"})
    assert answer["Location"] == f"/tenants/{world.tenant.id}"
    world.tenant.refresh_from_db()
    assert world.tenant.detectors == STORED
    event = Event.objects.filter(action="tenant.update").latest("id")
    assert event.reason == "merger"
    shown = body(admin.get(f"/tenants/{world.tenant.id}"))
    assert "PROJECT_CODENAME" in shown
    assert f'href="{path}"' in shown
    assert "kind: PROJECT_CODENAME" in body(admin.get(path))
    assert "Nothing differed" in text(admin.post(path, {"detectors": GOOD}, follow=True))
    admin.post(path, {"detectors": " \n"})
    world.tenant.refresh_from_db()
    assert world.tenant.detectors == []


def test_what_is_wrong_is_told_with_its_line_and_nothing_is_changed(world, admin):
    answer = admin.post(f"/tenants/{world.tenant.id}/detectors", {"detectors": BAD})
    assert answer.status_code == 422
    told = text(answer)
    assert "Line 3, column 3: a detector has no key" in told
    assert "Line 5, column 17: the pattern, character 3: RE2 has no look-around" in told
    assert "socre: 1" in body(answer)
    world.tenant.refresh_from_db()
    assert world.tenant.detectors == []


def test_who_may_not_change_the_tenant_may_not_change_them(world):
    reader = signed_in(world.person("auditor"))
    assert reader.post(f"/tenants/{world.tenant.id}/detectors", {}).status_code == 403


def test_s2_a_strangers_tenant_is_not_there(unique, admin):
    other = World(unique)
    assert admin.get(f"/tenants/{other.tenant.id}/detectors").status_code == 404
