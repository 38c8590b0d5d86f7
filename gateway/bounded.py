"""The most that a body of the control plane may be: Django would spool any length to the disk."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

BODY_MAX = 3 << 20
"""Above what any form or JSON body may be, so that those say for themselves what is wrong."""


class _TooLargeError(Exception):
    pass


def bounded(application: Application, most: int = BODY_MAX) -> Application:
    """Return the application with requests refused whose bodies are larger than `most` bytes."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise _TooLargeError
            return message

        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > most:
            await _refuse(send, most)
            return
        try:
            await application(scope, counted, send)
        except _TooLargeError:  # a body is read whole before anything is answered
            await _refuse(send, most)

    return answer


async def _refuse(send: Send, most: int) -> None:
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    problem: dict[str, Any] = {
        "type": "urn:gatehouse:problem:request-entity-too-large",
        "title": status.phrase,
        "status": status.value,
        "detail": f"A body has at most {most} bytes.",
        "errors": [],
        "request_id": "",
    }
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})
