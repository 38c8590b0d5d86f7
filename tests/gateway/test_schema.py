"""The OpenAPI document: committed as it is drawn, valid, and drawn without a doubt."""

import io
from pathlib import Path

import pytest
from django.core import management
from django.test import Client

from gateway.scopes import SCOPES
from gateway.views.schema import document

pytestmark = pytest.mark.usefixtures("db")

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.yaml"


def test_the_committed_document_is_the_one_that_is_drawn():
    drawn = io.StringIO()
    management.call_command("spectacular", "--fail-on-warn", "--validate", stdout=drawn)
    assert drawn.getvalue().strip() == COMMITTED.read_text().strip(), (
        "the API has changed: make openapi"
    )


def test_everybody_may_read_it():
    answer = Client().get("/api/schema/")
    assert answer.status_code == 200
    assert answer.json() == document()


def test_every_operation_names_its_scope_its_permission_and_its_refusals():
    operations = [operation for path in document()["paths"].values() for operation in path.values()]
    assert len(operations) > 60
    for operation in operations:
        oauth, session = operation["security"]
        assert set(oauth["oauth2"]) <= set(SCOPES)
        assert session == {"session": []}
        assert "Permission: `" in operation["description"]
        assert {"400", "401", "403", "404", "429", "default"} <= set(operation["responses"])


def test_bodies_take_nothing_that_they_do_not_list():
    schemas = document()["components"]["schemas"]
    bodies = {name: schema for name, schema in schemas.items() if name.endswith("Request")}
    assert len(bodies) > 20
    assert all(schema["additionalProperties"] is False for schema in bodies.values())
