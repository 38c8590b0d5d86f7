"""A noun whose objects are rows: listed page by page, shown with a tag, changed under a lock."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest import tags
from audit.rest.problems import Problem
from audit.rest.resource import Resource


class StoredResource(Resource, ABC):
    """Rows that the actor may read: a class that does not say which cannot be given an address.

    `order` is a key, its names all with or all without a minus.
    """

    order: ClassVar[tuple[str, ...]] = ("-created_at", "-id")

    @abstractmethod
    def visible(self) -> QuerySet[Any]:
        """Return what the actor may read."""

    def get_queryset(self) -> QuerySet[Any]:
        """Return what the actor may read; nothing while the schema is drawn."""
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        return self.visible()

    def list(self, request: Request) -> Response:
        """List what the actor may read, page by page."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    def retrieve(self, request: Request, **_: str) -> Response:
        """Show one object."""
        return self.show(self.get_object())


class ChangedResource(StoredResource, ABC):
    """Rows that can be changed, one change after another."""

    @abstractmethod
    def hold(self, row: Any) -> None:
        """Let nobody else change the row until the transaction ends."""

    @contextmanager
    def matching(self, *, required: bool = True) -> Iterator[Any]:
        """Give the object that the address names, held, if it is still what If-Match says."""
        row = self.get_object()
        with transaction.atomic():
            self.hold(row)
            row = self.get_object()
            self._check_match(row, required=required)
            yield row

    def _check_match(self, row: Any, *, required: bool) -> None:
        if_match = self.request.headers.get("If-Match")
        if if_match is None:
            if required:
                raise Problem(
                    HTTPStatus.PRECONDITION_REQUIRED,
                    "Send the ETag of what you have read as If-Match, so that no change is lost.",
                )
            return
        shown = self.shown(row)
        current = tags.tag(shown, self.volatile)
        if not tags.holds(if_match, current):
            raise Problem(
                HTTPStatus.PRECONDITION_FAILED,
                "It was changed since you have read it; `current` is what it is now.",
                headers={"ETag": current},
                more={"current": shown},
            )
