"""A provider that speaks as the clouds do, and a gateway before it."""

import pytest

from tests.mock_provider import start_mock_provider
from tests.openai_client import Client
from tests.stack import Gateway


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(environ={"GATEHOUSE_UPSTREAM_FIRST_BYTE_S": "2"}) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def sdk(gateway):
    return Client("sync", gateway)
