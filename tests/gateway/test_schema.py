"""The OpenAPI document: committed as it is drawn, valid, and drawn without a doubt."""

import io
import re
from pathlib import Path

import pytest
from django.core import management
from django.test import Client
from django.urls import get_resolver

from gateway.rest.besides import besides
from gateway.scopes import SCOPES
from gateway.views.schema import document

pytestmark = pytest.mark.usefixtures("db")

FOR_PEOPLE = {"/api/docs", "/api/docs/{}", "/o/authorize"}
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
    operations = [
        operation
        for address, path in document()["paths"].items()
        for operation in path.values()
        if address not in besides()
    ]
    assert len(operations) > 60
    for operation in operations:
        oauth, session = operation["security"]
        assert set(oauth["oauth2"]) <= set(SCOPES)
        assert session == {"session": []}
        assert "Permission: `" in operation["description"]
        assert {"400", "401", "403", "404", "429", "default"} <= set(operation["responses"])


def test_every_address_for_programs_is_in_the_document():
    """Walk the resolver: an address that is neither there nor a page for people is forgotten."""
    walked = set()
    for entry in get_resolver().url_patterns:
        for pattern in getattr(entry, "url_patterns", [entry]):
            inner = "" if pattern is entry else str(pattern.pattern)
            walked.add(spelt(f"/{entry.pattern}{inner}"))
    for_programs = {one for one in walked if one.startswith(("/api/", "/o/"))}
    assert len(for_programs) > 60
    assert for_programs - FOR_PEOPLE == {spelt(address) for address in document()["paths"]}


def spelt(address):
    """Return an address without what names and bounds its parts."""
    bare = re.sub(r"\(\?P<\w+>.*?\)(?=/|$)|<[^>]+>|\{\w+\}", "{}", address.replace("/?$", "/"))
    return bare.replace("^", "").rstrip("/$")


def test_bodies_take_nothing_that_they_do_not_list():
    schemas = document()["components"]["schemas"]
    bodies = {name: schema for name, schema in schemas.items() if name.endswith("Request")}
    assert len(bodies) > 20
    assert all(schema["additionalProperties"] is False for schema in bodies.values())
