"""A write with an Idempotency-Key happens once: sent again, it is answered as it was.

The answer is stored in the transaction of the write, so that both are there or neither. It may
hold a secret, hence it is sealed, bound to its row, and forgotten after a day.
"""

import datetime
import hashlib
import json
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.problems import Problem
from audit.rest.resource import Resource
from gateway import credentials, envelope
from gateway.models import StoredAnswer

KEY_MAX = 200
KEPT = datetime.timedelta(days=1)
FORGET_MAX = 100
HEADERS = ("ETag",)

Handler = Callable[..., Response]


def once(resource: Resource, request: Request, handler: Handler) -> Handler:
    """Return the handler of a POST, wrapped unless the resource says that it may happen twice."""
    key = request.headers.get("Idempotency-Key", "")
    if not (key.isascii() and key.isprintable() and 1 <= len(key) <= KEY_MAX) or " " in key:
        raise _problem(HTTPStatus.BAD_REQUEST, f"a key is 1 to {KEY_MAX} printable characters")
    if resource.action in resource.repeatable:
        return handler
    actor = resource.actor
    subject = _digest(actor.kind, actor.id, request.path, key)
    body = _digest(json.dumps(request.data, sort_keys=True))

    def guarded(request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            if not _alone(subject):
                raise _problem(HTTPStatus.CONFLICT, "the first request is still under way")
            known = _known(subject)
            if known is not None:
                return _again(known, body)
            response = handler(request, *args, **kwargs)
            _keep(subject, body, response)
            return response

    return guarded


def _known(subject: str) -> StoredAnswer | None:
    fresh = StoredAnswer.objects.filter(created_at__gt=timezone.now() - KEPT)
    return fresh.filter(subject=subject).first()


def _again(known: StoredAnswer, body: str) -> Response:
    if known.request != body:
        raise _problem(HTTPStatus.CONFLICT, "another body was sent with this key before")
    box = envelope.Sealed(bytes(known.sealed), known.key_id)
    try:
        answer = json.loads(envelope.unseal(box, _row_name(known.subject), credentials.masters()))
    except envelope.EnvelopeError:
        raise _problem(
            HTTPStatus.CONFLICT, "it was done, but its answer cannot be opened any more"
        ) from None
    headers = {**answer["headers"], "Idempotency-Replayed": "true"}
    return Response(answer["data"], status=answer["status"], headers=headers)


def _keep(subject: str, body: str, response: Response) -> None:
    now = timezone.now()
    answer = {
        "status": response.status_code,
        "data": json.loads(JSONRenderer().render(response.data) or b"null"),
        "headers": {name: response[name] for name in HEADERS if name in response},
    }
    nonce = secrets.token_bytes(envelope.NONCE_BYTES)
    box = envelope.seal(json.dumps(answer), _row_name(subject), credentials.masters()[0], nonce)
    old = StoredAnswer.objects.filter(created_at__lte=now - KEPT).values("pk")[:FORGET_MAX]
    StoredAnswer.objects.filter(pk__in=old).delete()
    StoredAnswer.objects.filter(pk=subject).delete()
    StoredAnswer.objects.create(
        subject=subject, request=body, sealed=box.sealed, key_id=box.key_id, created_at=now
    )


def _alone(subject: str) -> bool:
    """Take the key until the transaction ends; False where another request has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [subject])
        (taken,) = cursor.fetchone()
    return bool(taken)


def _row_name(subject: str) -> str:
    return f"gateway_storedanswer:{subject}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _problem(status: HTTPStatus, message: str) -> Problem:
    fault = {"field": "Idempotency-Key", "message": message}
    return Problem(status, f"The Idempotency-Key cannot be used: {message}.", [fault])
