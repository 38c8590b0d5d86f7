"""The pages that explain what went wrong."""

import pytest
from django.db import connection
from django.test import RequestFactory

from gateway.views import calls, errors
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")


def test_the_error_pages_look_alike_and_tell_nothing(client, monkeypatch):
    missing = client.get("/nothing/here")
    assert missing.status_code == 404
    assert "There is nothing here" in text(missing)

    def fails(*_):
        raise RuntimeError("a secret in the message")

    monkeypatch.setattr(calls.selectors, "call_tenants", fails)
    client.raise_request_exception = False
    broken = client.get("/calls")
    assert broken.status_code == 500
    assert "Something went wrong on our side" in text(broken)
    assert broken["X-Request-Id"] in text(broken)
    assert "secret" not in body(broken)
    assert "Traceback" not in body(broken)


def test_who_may_not_is_told_what_it_takes_and_who_can_give_it(world):
    answer = signed_in(world.person("analyst")).get("/calls")
    assert answer.status_code == 403
    assert "record.read" in text(answer)
    assert "admin, auditor, owner" in text(answer)


def test_the_error_pages_need_neither_session_nor_database(monkeypatch):
    def no_database(*_args, **_kwargs):
        raise AssertionError("asked the database")

    monkeypatch.setattr(connection, "cursor", no_database)
    request = RequestFactory().get("/")
    request.META["REQUEST_ID"] = "abc"
    assert errors.broken(request).status_code == 500


def test_a_part_of_a_page_is_refused_in_a_part(world):
    path = "/providers/00000000-0000-7000-8000-000000000000/test"
    answer = signed_in(world.person("owner")).post(path, headers={"HX-Request": "true"})
    assert answer.status_code == 403
    assert "provider.test" in text(answer)
    assert "<html" not in body(answer)
    assert answer["Vary"].startswith("HX-Request")
