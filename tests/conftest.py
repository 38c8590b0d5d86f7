"""One real PostgreSQL and one real Redis for each test process, started before the first import.

Nothing is rolled back between tests: each makes what it needs under names of its own (`unique`), as
tenants of one installation do.
"""

import functools
import os
import secrets
import shutil
import ssl
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from gateway.config import load
from gateway.embedded import Servers
from tests.thorough import HYPOTHESIS, times

# A client of HTTP reads the world's certificates when it is made, each anew, for as long as ten
# calls take; those of the tests speak with this machine, in the clear.
ssl.create_default_context = functools.cache(ssl.create_default_context)  # type: ignore[assignment]

# How long an example takes says more of the machine than of the code.
settings.register_profile("gatehouse", deadline=None, max_examples=times(HYPOTHESIS))
settings.load_profile("gatehouse")

SERVERS = pytest.StashKey[Servers]()
DATA = pytest.StashKey[Path]()
OURS = (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "GATEHOUSE_CACHE_URL",
)


def pytest_configure(config):
    """Start the servers, unless this process only hands out the work."""
    hands_out = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if hands_out or config.option.collectonly:
        _prepare_django({})
        return
    data = config.stash[DATA] = Path(tempfile.mkdtemp(prefix="gatehouse-tests-"))
    servers = config.stash[SERVERS] = Servers(durable=False)
    environ = {name: value for name, value in os.environ.items() if name not in OURS}
    environ["GATEHOUSE_DATA"] = str(data)
    given = os.environ.get("GATEHOUSE_TEST_DATABASE_URL")
    if given:
        environ["DATABASE_URL"] = given
        environ["DATABASE_OWNER_URL"] = os.environ["GATEHOUSE_TEST_DATABASE_OWNER_URL"]
    servers.start(load(environ)).export(environ)
    _prepare_django(environ)
    from django.core.management import call_command  # noqa: PLC0415  (needs the settings)

    call_command("migrate", verbosity=0)


def pytest_unconfigure(config):
    """Stop what was started, and leave nothing behind."""
    servers = config.stash.get(SERVERS, None)
    if servers is not None:
        servers.stop()
        shutil.rmtree(config.stash[DATA], ignore_errors=True)


def _prepare_django(environ):
    for name in OURS:
        os.environ.pop(name, None)
    os.environ.update(environ)
    os.environ["DJANGO_SETTINGS_MODULE"] = "gateway.settings"
    import django  # noqa: PLC0415  (the servers' addresses must be known first)

    django.setup()


@pytest.fixture(scope="session")
def db():
    """The migrated database, through Django's ORM; connections end with the session."""
    from django.db import connections  # noqa: PLC0415

    yield
    connections.close_all()


@pytest.fixture(scope="module", autouse=True)
def nothing_holds_everywhere(db):
    """Fail the module that leaves something to the whole platform: later tests would feel it."""
    yield
    from policies.models import Attachment, Exemption, ReviewRule  # noqa: PLC0415  (needs Django)

    left = [
        *Attachment.objects.filter(tenant=None).select_related("policy"),
        *ReviewRule.objects.filter(tenant=None),
        *Exemption.objects.filter(tenant=None, revoked_at=None),
    ]
    assert left == []


@pytest.fixture(scope="session")
def names_model(tmp_path_factory):
    """The folder of a tiny model of names, trained once for all workers. It is only read."""
    from tests.names_model import trained  # noqa: PLC0415  (spaCy is slow to load)

    return trained(tmp_path_factory.getbasetemp().parent)


@pytest.fixture
def unique():
    """Return names that no other test has."""
    return lambda stem="x": f"{stem}-{secrets.token_hex(4)}"
