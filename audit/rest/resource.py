"""One noun of the management API: who may do what to it, and how it is read and written."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, cast

from django.db import models
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from audit.actor import Actor
from audit.rest import pages, tags
from audit.rest.access import Access, Caller
from audit.rest.fields import REASON_MAX, Body, lists_of, unfit
from audit.rest.problems import Problem

UUID_PATTERN = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
NUMBER_PATTERN = "[0-9]{1,18}"
NO_STORE = "no-store"


Once = Callable[["Resource", Request, Callable[..., Response]], Callable[..., Response]]


class Resource(GenericViewSet[Any]):
    """A view set whose every method stands in `access`; one that does not is closed.

    `bodies` and `answers` name the serializers of methods that take or give something else than
    nothing and `serializer_class`, `queries` those of parameters in the address.
    """

    access: ClassVar[Mapping[str, Access]] = {}
    bodies: ClassVar[Mapping[str, type[Body]]] = {}
    queries: ClassVar[Mapping[str, type[Body]]] = {}
    answers: ClassVar[Mapping[str, type[BaseSerializer[Any]] | None]] = {}
    volatile: ClassVar[tuple[str, ...]] = ()
    makes: ClassVar[frozenset[str]] = frozenset({"create"})
    """Methods that make something: they answer 201."""
    repeatable: ClassVar[frozenset[str]] = frozenset()
    """POST methods that may happen twice: an Idempotency-Key changes nothing."""
    model: ClassVar[type[models.Model]]
    lookup_value_regex = UUID_PATTERN
    http_method_names = ("get", "head", "post", "put", "patch", "delete")
    once: Once | None = None
    """How a POST with an Idempotency-Key is kept from happening twice; the router sets it."""

    @property
    def caller(self) -> Caller:
        """Who calls, and with which scopes."""
        caller: Any = self.request.auth
        return cast("Caller", caller)

    @property
    def actor(self) -> Actor:
        """Who calls."""
        return self.caller.actor

    def get_queryset(self) -> QuerySet[Any]:
        """Return no rows: what is not stored as rows is read by the methods themselves."""
        return self.model._default_manager.none()  # noqa: SLF001  (documented by Django)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check what is asked for beside the body, once it is known who asks."""
        super().initial(request, *args, **kwargs)
        self._check_query(request)
        key = request.headers.get("Idempotency-Key")
        if request.method == "POST" and key is not None and self.once is not None:
            self.post = self.once(self, request, self.post)  # type: ignore[has-type]

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Let no answer be stored on its way."""
        finished = super().finalize_response(request, response, *args, **kwargs)
        finished["Cache-Control"] = NO_STORE
        return finished

    def given(self) -> dict[str, Any]:
        """Return the checked body of this write."""
        form = self.bodies[self.action](
            data=self.request.data,
            partial=self.action == "partial_update",
            context=self.get_serializer_context(),
        )
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    def asked(self) -> dict[str, Any]:
        """Return the checked parameters of this read, or of a DELETE beside its reason."""
        body, given = self.queries[self.action], self.request.query_params
        many = lists_of(body)
        said = {name: given.getlist(name) if name in many else given[name] for name in given}
        if self.request.method == "DELETE":
            said.pop("reason", None)
        form = body(data=said)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    def why(self) -> str:
        """Return the reason that a DELETE gives in its address."""
        reason = self.request.query_params.get("reason", "")
        if len(reason) > REASON_MAX:
            fault = {"field": "reason", "message": f"at most {REASON_MAX} characters"}
            raise Problem(HTTPStatus.BAD_REQUEST, "The reason is too long.", [fault])
        return reason

    def shown(self, row: Any) -> dict[str, Any]:
        """Return the representation of one object."""
        return dict(self.get_serializer_class()(row, context=self.get_serializer_context()).data)

    def show(self, row: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
        """Answer with one object and its tag."""
        shown = self.shown(row)
        return Response(shown, status=status, headers={"ETag": tags.tag(shown, self.volatile)})

    def made(self, row: Any) -> Response:
        """Answer with an object that has just been made."""
        return self.show(row, HTTPStatus.CREATED)

    def gone(self) -> Response:
        """Answer that an object is no more."""
        return Response(status=HTTPStatus.NO_CONTENT)

    def _check_query(self, request: Request) -> None:
        if not self.action:  # no such method here: the answer says so
            return
        known, many = ({"reason"} if request.method == "DELETE" else set()), frozenset[str]()
        if self.action in self.listings():
            known = set(pages.PARAMETERS)
        if self.action in self.queries:
            known |= set(self.queries[self.action]().fields)
            many = lists_of(self.queries[self.action])
        if self.action == "list":
            known |= set(getattr(getattr(self, "filterset_class", None), "base_filters", {}))
        asked = dict(request.query_params.lists())
        faults = [
            {"field": name, "message": "this parameter is not known here"}
            for name in asked
            if name not in known
        ]
        faults += [
            {"field": name, "message": "this parameter stands twice"}
            for name, values in asked.items()
            if len(values) > 1 and name not in many
        ]
        faults += [
            {"field": name, "message": "this parameter is empty"}
            for name, values in asked.items()
            if not all(values) and name != "reason"
        ]
        if faults or next(unfit(asked), None) is not None:
            raise Problem(HTTPStatus.BAD_REQUEST, "The address cannot be read.", faults)

    @classmethod
    def listings(cls) -> frozenset[str]:
        """Return the methods that answer with pages."""
        return frozenset({"list"})
