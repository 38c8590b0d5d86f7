"""The control plane's connections to PostgreSQL, kept from one request to the next.

To open one costs more than most pages do: a process of the server, and a password proved. Only a
web process keeps them; commands and tasks open one and are done.
"""

from typing import cast

from django.conf import settings
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

POOL = {
    "min_size": 0,
    "max_size": 20,
    "max_idle": 60.0,
    "timeout": 3.0,  # for a free one, or for a server that is away
    "reconnect_timeout": 1.0,  # whoever asks next tries anew
}


def keep() -> None:
    """Keep connections from now on; to be called before the first is opened."""
    settings.DATABASES["default"] |= {"CONN_HEALTH_CHECKS": True}
    options = {"pool": POOL, "application_name": "gatehouse-console"}
    settings.DATABASES["default"]["OPTIONS"] |= options


def close() -> None:
    """Close what is kept, as the process ends."""
    cast("DatabaseWrapper", connections["default"]).close_pool()
