"""The whole management API against its own OpenAPI document: nothing it says is untrue."""

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from policies.models import ReviewRule
from tests import estate
from tests.management import as_itself
from tests.thorough import times

pytestmark = pytest.mark.usefixtures("db")

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def bearer(db):
    estate.estate(limits=[{"kind": "concurrency", "amount": 3}], budgets=[{"limit_micros": 5}])
    headers = {"authorization": f"Bearer {as_itself(None).token}"}
    # One connection to PostgreSQL for all requests, as with Django's own client.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield headers
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    ReviewRule.objects.filter(tenant=None).delete()  # they would hold for every test that follows


SCHEMA = schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application())


@SCHEMA.parametrize()
@settings(
    max_examples=times(2),
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_nothing_that_is_sent_is_answered_otherwise_than_the_document_says(case, bearer):
    case.call_and_validate(headers=bearer, checks=CHECKS)
