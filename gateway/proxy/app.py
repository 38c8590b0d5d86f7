"""The data plane as an ASGI callable: lifespan, the calls, and errors turned into answers."""

import hmac
import logging
import sys
from collections.abc import Awaitable
from datetime import datetime
from typing import Any

import orjson

from gateway.config import Config
from gateway.logs import CallLog
from gateway.proxy import cors, deliver, headers, metrics, paths, pipeline
from gateway.proxy.errors import Refusal, fault
from gateway.proxy.health import readiness
from gateway.proxy.runtime import Worker
from gateway.proxy.trail import Trail
from gateway.proxy.wire import JSON_TYPE, ClientGone, Receive, Reply, Scope, Send

log = logging.getLogger(__name__)
calls = CallLog(sys.stdout.buffer)

OPERATIONS = frozenset({"/livez", "/readyz", "/metrics"})
FORWARDING = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip"})
METRICS_TYPE = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


def serves(path: str) -> bool:
    """Whether a path belongs to the data plane."""
    return paths.serves(path) or path in OPERATIONS


class Proxy:
    """The data plane of one process."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.worker: Worker | None = None

    async def start(self) -> None:
        """Begin to serve."""
        self.worker = Worker(self.config)
        await self.worker.start()

    async def stop(self) -> None:
        """Let go of everything; the calls in flight have ended."""
        if self.worker is not None:
            await self.worker.stop()
        calls.flush()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one HTTP request."""
        assert self.worker is not None  # noqa: S101  (the server starts us before it listens)
        reply = Reply(scope, send)
        if scope["path"] in OPERATIONS:
            return self._operate(scope, reply, self.worker)
        return self._call(scope, receive, reply, self.worker)

    async def _call(self, scope: Scope, receive: Receive, reply: Reply, worker: Worker) -> None:
        if scope["method"] == "OPTIONS":
            await reply.whole(200, cors.preflight(dict(scope["headers"])), b"")
            return
        trail = worker.begin()
        code = ""
        try:
            await pipeline.carry(scope, receive, reply, worker, trail)
        except Refusal as refusal:
            code = refusal.code
            metrics.REFUSALS.labels(code).inc()
            if not reply.begun:
                await reply.refuse(refusal, _headers(trail))
        except ClientGone:
            code = "client_gone"
        except Exception:
            failed = fault()
            code = failed.code
            log.exception("internal_error", extra={"request_id": trail.request_id})
            if reply.begun:
                await deliver.broken(reply, failed, trail.decision_id)
            else:
                failed.decision_id = trail.decision_id
                await reply.refuse(failed, _headers(trail))
        _count(trail, reply, code, worker.now())

    async def _operate(self, scope: Scope, reply: Reply, worker: Worker) -> None:
        path = scope["path"]
        if path == "/livez":
            await reply.whole(200, [JSON_TYPE], b'{"status":"ok"}')
        elif path == "/readyz":
            status, document = await readiness(worker)
            await reply.whole(status, [JSON_TYPE], orjson.dumps(document))
        elif self._may_read_metrics(scope):
            metrics.EVIDENCE_LAG.set(worker.evidence.lag)
            await reply.whole(200, [METRICS_TYPE], metrics.render())
        else:
            await reply.whole(401, [JSON_TYPE], b'{"error":{"code":"metrics_token_required"}}')

    def _may_read_metrics(self, scope: Scope) -> bool:
        token, headers = self.config.metrics_token, dict(scope["headers"])
        if token is None:  # this machine may, but not whoever a proxy on it speaks for
            client = scope["client"]
            is_local = client is None or client[0] in ("127.0.0.1", "::1")
            return is_local and FORWARDING.isdisjoint(headers)
        presented = headers.get(b"authorization", b"")
        return hmac.compare_digest(presented, b"Bearer " + token.encode())


def _headers(trail: Trail) -> list[tuple[bytes, bytes]]:
    client_request_id = trail.head.client_request_id if trail.head else ""
    return headers.of_call(trail.request_id, trail.decision_id, client_request_id)


def _count(trail: Trail, reply: Reply, code: str, now: datetime) -> None:
    """Count the call and write its log line: ids and figures, never a secret or a prompt."""
    endpoint = trail.head.endpoint.value if trail.head else "none"
    elapsed_s = trail.elapsed_s
    metrics.call(endpoint, code or "ok")
    if trail.admitted:
        metrics.served(endpoint, elapsed_s, max(0.0, elapsed_s - trail.upstream_s))
    line: dict[str, Any] = {
        "at": now,
        "level": "info",
        "logger": "gatehouse.calls",
        "event": "call",
        "request_id": trail.request_id,
        "decision_id": trail.decision_id,
        "endpoint": endpoint,
        "status": reply.status,
        "code": code or "ok",
        "attempts": trail.attempt,
        "duration_ms": round(elapsed_s * 1000, 3),
    }
    if trail.principal is not None:
        row = trail.principal.row
        line["tenant_id"], line["key_id"] = row.tenant_id, row.public_id
    calls.write(line)
