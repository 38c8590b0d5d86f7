"""The background processes say that they live, from their start to their end."""

import os
import time

import pytest
from django.conf import settings

from gateway import celery
from gateway.proxy.store import roster
from tests.stack import eventually

pytestmark = pytest.mark.usefixtures("db")


def kinds():
    found = roster.roster(settings.GATEHOUSE.redis_url, time.time())
    return {each.seat.kind for each in found if each.seat.pid == os.getpid()}


def test_worker_and_beat_are_on_the_roster_while_they_live():
    celery.worker_attends(sender=None)
    celery.beat_attends(sender=None)
    try:
        assert eventually(lambda: kinds() >= {"worker", "beat"})
    finally:
        celery.worker_leaves(sender=None)
    assert eventually(lambda: not kinds() & {"worker", "beat"})
    celery._leaving.clear()
