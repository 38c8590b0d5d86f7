"""The OpenAPI document as a person reads it."""

import json
import shlex

import pytest
from django.test import Client

from gateway.reference import DEPTH_MAX, Field, nouns
from gateway.views.schema import document
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, signed_in, text

SMALL = {
    "paths": {
        "/things/{id}/": {
            "patch": {
                "operationId": "things_change",
                "description": "Change a thing.\n\nPermission: `thing.update`.",
                "tags": ["things"],
                "security": [{"oauth2": ["things:write"]}, {"session": []}],
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "day", "in": "query", "required": True, "schema": {"type": "integer"}},
                    {"$ref": "#/components/parameters/Match"},
                ],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                    }
                },
                "responses": {
                    "200": {
                        "description": "",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                        },
                    },
                    "204": {"description": "Gone."},
                    "default": {"description": "Refused."},
                },
            }
        },
        "/ask/": {
            "post": {
                "operationId": "ask",
                "description": "Ask.",
                "tags": ["asking"],
                "security": [],
                "requestBody": {
                    "content": {
                        "application/x-www-form-urlencoded": {
                            "schema": {"type": "object", "properties": {"word": {"type": "string"}}}
                        }
                    }
                },
                "responses": {"200": {"description": "Done."}},
            }
        },
    },
    "components": {
        "parameters": {
            "Match": {
                "name": "If-Match",
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "description": "What was read.",
            }
        },
        "schemas": {
            "Colour": {"enum": ["red", "blue", None], "description": "A colour."},
            "Thing": {
                "type": "object",
                "required": ["colour", "owner", "parts", "count", "on", "size"],
                "properties": {
                    "colour": {"allOf": [{"$ref": "#/components/schemas/Colour"}]},
                    "owner": {"type": "string", "format": "uuid", "nullable": True},
                    "parts": {
                        "type": "array",
                        "maxItems": 3,
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {"name": {"type": "string", "maxLength": 9}},
                        },
                    },
                    "count": {"type": "integer", "minimum": 2, "maximum": 5},
                    "on": {"type": "boolean"},
                    "size": {"type": "number"},
                    "more": {},
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def thing():
    asking, things = nouns(SMALL)
    assert (asking.name, things.name) == ("asking", "things")
    return things.operations[0]


def test_an_operation_says_what_it_takes(thing):
    assert thing.line == "PATCH /things/{id}/"
    assert (thing.said, thing.permission, thing.scope) == (
        "Change a thing.",
        "thing.update",
        "things:write",
    )
    assert [(each.name, each.place) for each in thing.parameters] == [
        ("id", "path"),
        ("day", "query"),
        ("If-Match", "header"),
    ]
    assert thing.parameters[2].note == "What was read."


def test_fields_are_said_in_words(thing):
    assert thing.fields == (
        Field("colour", "red or blue", "A colour.", is_required=True),
        Field("owner", "uuid, or null", "", is_required=True),
        Field("parts", "list of object", "at most 3 of them", is_required=True),
        Field("parts[].name", "string", "at most 9 characters", is_required=True),
        Field("count", "integer", "at least 2; at most 5", is_required=True),
        Field("on", "boolean", "", is_required=True),
        Field("size", "number", "", is_required=True),
        Field("more", "anything", "", is_required=False),
    )


def test_answers_are_parted_into_done_and_refused(thing):
    assert [(each.status, each.said, bool(each.fields)) for each in thing.done] == [
        ("200", "", True),
        ("204", "Gone.", False),
    ]
    assert [(each.status, each.said) for each in thing.refused] == [("other", "Refused.")]


def test_an_example_can_be_sent(thing):
    words = shlex.split(thing.curl.replace("\\\n", " "))
    assert words[:4] == ["curl", "--request", "PATCH", "$GATEHOUSE_URL/things/{id}/?day=1"]
    assert "If-Match: $ETAG" in words
    assert json.loads(words[-1]) == {
        "colour": "red",
        "owner": "00000000-0000-0000-0000-000000000000",
        "parts": [{"name": "…"}],
        "count": 2,
        "on": True,
        "size": 1,
    }


def test_a_form_is_sent_as_one():
    ask = nouns(SMALL)[0].operations[0]
    assert (ask.permission, ask.scope) == ("", "")
    assert '--user "$CLIENT_ID:$CLIENT_SECRET"' in ask.curl
    assert ask.curl.endswith("--data-urlencode 'word=…'")
    assert "Bearer" not in ask.curl


def test_what_holds_itself_is_read_to_a_depth():
    tree = {"type": "object", "properties": {"inner": {"$ref": "#/components/schemas/Tree"}}}
    body = {"content": {"application/json": {"schema": tree}}}
    grow = {
        "operationId": "grow",
        "description": "Grow.",
        "tags": ["trees"],
        "security": [],
        "requestBody": body,
        "responses": {"200": {"description": ""}},
    }
    small = {"paths": {"/t/": {"post": grow}}, "components": {"schemas": {"Tree": tree}}}
    ((operation,),) = (noun.operations for noun in nouns(small))
    assert len(operation.fields) == DEPTH_MAX + 1
    assert operation.fields[1].name == "inner.inner"


def test_the_whole_document_is_read():
    drawn = document()
    read = [operation for noun in nouns(drawn) for operation in noun.operations]
    told = {(operation.method.lower(), operation.path) for operation in read}
    assert told == {(method, path) for path, each in drawn["paths"].items() for method in each}
    for operation in read:
        assert operation.said
        assert operation.done
        assert shlex.split(operation.curl.replace("\\\n", " "))[0] == "curl"


@pytest.mark.usefixtures("db")
def test_whoever_is_signed_in_reads_it(unique):
    assert Client().get("/api/docs/")["Location"].startswith("/sign-in")
    client = signed_in(World(unique).person())
    page = client.get("/api/docs/")
    for noun in nouns(document()):
        assert f'href="/api/docs/{noun.name}/#{noun.operations[0].name}-h"' in body(page)
        shown = client.get(f"/api/docs/{noun.name}/")
        for operation in noun.operations:
            assert f'id="{operation.name}-h"' in body(shown)
            assert operation.line in text(shown)
    assert '<a href="/api/docs/">API reference</a>' in body(page)
    missing = client.get("/api/docs/nothing/")
    assert missing.status_code == 404
    assert missing["Content-Type"] == "text/html; charset=utf-8"
