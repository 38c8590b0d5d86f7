"""The first page, and the system's."""

import re
import time

import pytest
from django.conf import settings

from gateway import onboarding
from gateway.doctor import Finding
from gateway.models import Deployment
from gateway.proxy.store import roster
from gateway.proxy.store.survey import SurveyError
from gateway.version import VERSION
from gateway.views import system
from tenants.models import Budget, User, VirtualKey
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def owner(world):
    return signed_in(world.person("owner"))


@pytest.fixture
def platform(world):
    user = world.person(is_superuser=True)
    yield signed_in(user)
    User.objects.filter(pk=user.pk).update(is_superuser=False)


def states(client):
    return re.findall(
        r"(done|waiting|open) (?:Connect|Publish|Issue|See|Set) ", text(client.get("/"))
    )


def test_the_checklist_is_ticked_off_by_what_is_there(world, owner, monkeypatch):
    monkeypatch.setattr(Deployment.objects, "exists", lambda: True)
    assert states(owner)[1:] == ["open", "open", "waiting", "open"]
    assert 'hx-trigger="every 2s"' in body(owner.get("/"))
    VirtualKey.objects.create(
        tenant=world.tenant,
        app=world.app,
        name="k",
        public_id=world.unique("")[-9:],
        digest=world.unique("d").encode(),
    )
    world.call().admitted()
    Budget.objects.create(
        tenant=world.tenant, name="b", limit_micros=1, currency="USD", window="day"
    )
    assert states(owner)[2:] == ["done", "done", "done"]
    assert "hx-trigger" not in body(owner.get("/"))
    part = owner.get("/", headers={"HX-Request": "true"})
    assert "4 of 5 done" in text(part) or "3 of 5 done" in text(part)
    assert "<html" not in body(part)


def test_who_does_not_set_up_and_who_is_done_go_on(world, client, owner, monkeypatch):
    assert client.get("/")["Location"] == "/overview"
    done = onboarding.Step("x", "y", "calls", "z", is_done=True)
    monkeypatch.setattr(onboarding, "steps", lambda _: [done])
    assert owner.get("/")["Location"] == "/overview"
    nobody = signed_in(world.person())
    assert nobody.get("/")["Location"] == "/calls"


def test_the_system_shows_health_and_settings_without_secrets(platform):
    answer = platform.get("/system")
    told = text(answer)
    for part in ("PostgreSQL", "all applied", "max_body_bytes", "Django"):
        assert part in told
    config = settings.GATEHOUSE
    for secret in (config.secret_key, config.database_url, config.redis_url):
        assert secret not in body(answer)
    assert "secret_key set, not shown" in told


def test_every_process_that_works_is_listed(platform, monkeypatch):
    url, now = settings.GATEHOUSE.redis_url, time.time()
    quick = roster.seat("worker", "background", now)._replace(host="quick-host", pid=4711)
    slow = quick._replace(host="slow-host", kind="beat")
    roster.sign(url, quick, now)
    roster.sign(url, slow, now - roster.LATE_S - 1)
    told = text(platform.get("/system"))
    assert f"Celery worker works quick-host 4711 background {VERSION}" in told
    assert "Celery beat not heard of slow-host 4711" in told
    assert re.search("Not heard of lately: [^.]*Celery beat", told)
    for each in (quick, slow):
        roster.strike(url, each)

    def away(*_):
        raise SurveyError("no answer: ConnectionError")

    monkeypatch.setattr(system, "roster", away)
    assert "It is not known who works" in text(platform.get("/system"))


def test_what_is_not_well_is_marked(platform, monkeypatch):
    found = [Finding("redis", ok=False, detail="no answer")]
    monkeypatch.setattr(system, "examine", lambda **_: found)
    assert "redis not well no answer" in text(platform.get("/system"))


def test_the_system_is_the_owners_affair(owner):
    assert owner.get("/system").status_code == 403
