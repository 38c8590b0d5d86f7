"""Which operations a service may have, how they are written, and which one is asked for."""

from dataclasses import replace

import pytest

from gateway.bundle import Operation, Plan, Route, Service
from gateway.exchange import Asked
from gateway.providers.fault import BadSetting
from gateway.providers.service import lines, operations, presenting

SEARCH = Operation("search", "POST", "/c/{name}/search", ("limit", "a[b].c"), "json")
LISTED = Operation("list", "GET", "/c/{name}", idempotent=True)
NAMES = Operation("names", "GET", "/c/names", answer="text")
DROP = Operation("drop", "DELETE", "/c/{name}", answer="none")
ALL = (SEARCH, LISTED, NAMES, DROP)


def service(*offered):
    return Service(
        "vectors", Route("/services/vectors", 0, 0, (), Plan(retries=2)), offered, "", ""
    )


def asked(method, *steps):
    return Asked("vectors", method, steps, (("limit", "5"),))


def test_an_operation_is_found_with_what_stands_in_its_path():
    found = operations.found(service(*ALL), asked("POST", "c", "docs", "search"))
    assert found is not None
    assert (found.operation, found.path, found.query) == (
        SEARCH,
        (("name", "docs"),),
        (("limit", "5"),),
    )
    assert found.route.plan == Plan()  # it is not idempotent: nothing is tried again
    again = operations.found(service(*ALL), asked("GET", "c", "docs"))
    assert again is not None
    assert again.route.plan.retries == 2


@pytest.mark.parametrize("order", [ALL, ALL[::-1]])
def test_the_more_literal_one_is_meant_whatever_the_order(order):
    found = operations.found(service(*order), asked("GET", "c", "names"))
    assert found is not None
    assert found.operation == NAMES


@pytest.mark.parametrize(
    "elsewhere",
    [("GET",), ("GET", "c"), ("GET", "d", "x"), ("PUT", "c", "x"), ("GET", "c", "x", "search")],
)
def test_nothing_else_is_found(elsewhere):
    assert operations.found(service(*ALL), asked(*elsewhere)) is None


def test_the_methods_at_a_path():
    assert operations.methods(service(*ALL), asked("PUT", "c", "x")) == ("DELETE", "GET")
    assert operations.methods(service(*ALL), asked("PUT", "x")) == ()


def test_good_operations_pass():
    operations.check(ALL)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Search"}, "its name is"),
        ({"method": "HEAD"}, "its method is one of"),
        ({"method": "post"}, "its method is one of"),
        ({"body": "form"}, "its body is one of"),
        ({"answer": "bytes"}, "its answer is one of"),
        ({"method": "GET"}, "GET takes no body"),
        ({"path": "c"}, "begins with /"),
        ({"path": "/" + "c" * 400}, "at most 400"),
        ({"path": "/c//d"}, "has a step ''"),
        ({"path": "/"}, "has a step ''"),
        ({"path": "/c/"}, "has a step ''"),
        ({"path": "/c/.."}, "has a step '..'"),
        ({"path": "/c/%2e"}, "has a step '%2e'"),
        ({"path": "/c/{Name}"}, "has a step '{Name}'"),
        ({"path": "/c/x{name}"}, "has a step 'x{name}'"),
        ({"path": "/c/{name}/{name}"}, "names a parameter twice"),
        ({"path": "/c?x=1"}, "has a step 'c?x=1'"),
        ({"query": ("a", "a")}, "each named once"),
        ({"query": tuple(f"a{n}" for n in range(33))}, "at most 32"),
        ({"query": ("a b",)}, "'a b' cannot be a parameter"),
        ({"query": ("api_key",)}, "'api_key' cannot be a parameter"),
        ({"name": "list"}, "the operation list stands twice"),
        (
            {"method": "DELETE", "path": "/c/{other}"},
            "another has the same method and path",
        ),
    ],
)
def test_a_bad_operation_is_refused_with_the_reason(change, said):
    with pytest.raises(BadSetting) as caught:
        operations.check([LISTED, DROP, replace(SEARCH, **change)])
    assert said in str(caught.value)


def test_a_service_has_operations_but_not_without_end():
    many = [Operation(f"o{n}", "GET", f"/{n}") for n in range(operations.OPERATIONS_MAX + 1)]
    operations.check(many[1:])
    for wrong in ([], many):
        with pytest.raises(BadSetting, match="1 to 200 operations"):
            operations.check(wrong)


def test_what_is_written_is_read():
    assert operations.read(operations.written(ALL)) == ALL
    assert lines.read(lines.write(ALL)) == ALL
    assert lines.write(ALL).splitlines() == [
        "search POST /c/{name}/search?limit,a[b].c json",
        "list GET /c/{name} idempotent",
        "names GET /c/names text",
        "drop DELETE /c/{name} nothing",
    ]
    assert lines.read("\n  ping GET /ping \n\n") == (Operation("ping", "GET", "/ping"),)
    least = [{"name": "ping", "method": "GET", "path": "/ping"}]
    assert operations.read(least) == (Operation("ping", "GET", "/ping"),)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "operations are a list"),
        (["x"], "an operation is an object"),
        ([{"name": "a", "method": "GET"}], "an operation needs path"),
        ([{"name": 1, "method": "GET", "path": "/"}], "and no more"),
        ([{"name": "a", "method": "GET", "path": "/", "more": "x"}], "and no more"),
        ([{"query": "a"}], "a list of names"),
        ([{"query": [1]}], "a list of names"),
        ([{"idempotent": 1}], "true or false"),
    ],
)
def test_other_json_is_refused(value, said):
    with pytest.raises(BadSetting, match=said):
        operations.read(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a GET", "line 1: an operation has a name, a method and a path"),
        ("a GET /a\nb GET /b jsn", "line 2: 'jsn' is none of"),
        ("a GET /a text nothing", "line 1: it answers text or nothing"),
    ],
)
def test_other_lines_are_refused(text, said):
    with pytest.raises(BadSetting) as caught:
        lines.read(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("header", "scheme"), [("authorization", "Bearer"), ("api-key", ""), ("cookie", "ApiKey")]
)
def test_a_credential_has_a_header(header, scheme):
    presenting.check(header, scheme)


@pytest.mark.parametrize(
    ("header", "scheme"),
    [
        ("", ""),
        ("Authorization", "Bearer"),
        ("host", ""),
        ("content-length", ""),
        ("transfer-encoding", ""),
        ("proxy-authorization", ""),
        ("x-request-id", ""),
        ("x:y", ""),
        ("x\r\ny", ""),
        ("authorization", "Bearer "),
        ("authorization", "a\r\nb"),
    ],
)
def test_not_every_header_can_hold_a_credential(header, scheme):
    with pytest.raises(BadSetting):
        presenting.check(header, scheme)
