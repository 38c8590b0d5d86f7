"""Who opens the pages. Imports wait until the settings are known."""
# ruff: noqa: PLC0415

import pytest


@pytest.fixture
def world(db, unique):
    """A tenant with an app and two policies."""
    from tests.gateway.call_records import World

    return World(unique)


@pytest.fixture
def client(world):
    """The browser of an auditor of the tenant."""
    from tests.gateway.views.reading import signed_in

    return signed_in(world.person("auditor"))


@pytest.fixture
def address(unique):
    """An address that nobody else tries to sign in from."""
    return f"unix:{unique()}"


@pytest.fixture
def no_owner(db):
    """An installation without an owner, as on the first start."""
    from tenants.models import User

    owners = User.objects.filter(is_superuser=True)
    owners.update(is_superuser=False)
    yield
    owners.update(is_superuser=False)
