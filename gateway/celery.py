"""The Celery application: messages are JSON, tasks are sent and found by name."""

import atexit
import os
import threading
import time
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_ready, worker_shutting_down

from gateway.proxy.store import roster

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")

app = Celery("gatehouse", set_as_current=True)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["gateway"])

_leaving = threading.Event()


@worker_ready.connect
def worker_attends(**_: Any) -> None:
    """Have the worker say that it lives, from the moment on when it takes tasks."""
    _attend("worker")


@beat_init.connect
def beat_attends(**_: Any) -> None:
    """Have the process that sends what is due say that it lives."""
    _attend("beat")


@worker_shutting_down.connect
def worker_leaves(**_: Any) -> None:
    """Take the worker, which finishes what it has, from the roster."""
    _leaving.set()


def _attend(kind: str) -> None:
    mine = roster.seat(kind, "background", time.time())
    thread = threading.Thread(target=_keep_signing, args=(mine,), name="roster", daemon=True)
    thread.start()
    atexit.register(_leave, thread)  # beat has no signal of its end


def _leave(thread: threading.Thread) -> None:
    _leaving.set()
    thread.join(2 * roster.TIMEOUT_S)


def _keep_signing(mine: roster.Seat) -> None:
    from django.conf import settings  # noqa: PLC0415  (ready by the time that a process attends)

    redis_url = settings.GATEHOUSE.redis_url
    while True:
        roster.sign(redis_url, mine, time.time())
        if _leaving.wait(roster.EVERY_S):
            roster.strike(redis_url, mine)
            return
