"""Addresses that no resource makes refuse other methods as the management API does."""

import pytest
from django.test import Client

pytestmark = pytest.mark.usefixtures("db")


@pytest.mark.parametrize("address", ["/api/schema/", "/api/v1/downloads/x:y"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_what_is_read_is_not_written(address, method):
    answer = getattr(Client(), method)(address)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "This address takes GET and HEAD."
