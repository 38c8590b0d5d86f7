"""The headers that tell a caller what was decided, served, limited and charged."""

from gateway.exchange import Permitted, Recalled, Reservation
from gateway.proxy import limit
from gateway.proxy.facts import plain_name
from gateway.proxy.passage import Passage
from gateway.proxy.wire import Headers


def of_answer(passage: Passage, permitted: Permitted, reservation: Reservation) -> Headers:
    """Return the headers of an answer, whole or streamed."""
    trail = passage.trail
    overhead_s = max(0.0, trail.elapsed_s - trail.upstream_s)
    found = [
        (b"cache-control", b"no-store"),
        (b"x-gatehouse-policy", passage.principal.app.labels),
        (b"x-gatehouse-model", permitted.route.name.encode()),
        *_of_recalled(trail.recalled),
        (b"x-gatehouse-overhead-us", b"%d" % int(overhead_s * 1e6)),
        *of_call(trail.request_id, trail.decision_id, passage.head.client_request_id),
        *limit.headers(reservation),
    ]
    left_out = permitted.outgoing.left_out
    if left_out:
        found.append((b"x-gatehouse-left-out", ", ".join(map(plain_name, left_out)).encode()))
    if trail.reshaping is not None:
        found += trail.reshaping.answer_headers()
    return found


def _of_recalled(recalled: Recalled | None) -> Headers:
    """Return whether the answer is one that was kept, and for how long."""
    if recalled is None or recalled.outcome in ("miss", "bypass"):
        return [(b"x-gatehouse-cache", recalled.outcome.encode() if recalled else b"bypass")]
    age = (b"age", b"%d" % recalled.age_s)
    if recalled.outcome == "replayed":
        return [(b"x-gatehouse-cache", b"bypass"), (b"idempotent-replayed", b"true"), age]
    return [(b"x-gatehouse-cache", recalled.outcome.encode()), age]


def of_call(request_id: str, decision_id: str | None, client_request_id: str) -> Headers:
    """Return the headers that every answer carries, a refusal too."""
    headers = [(b"x-request-id", request_id.encode())]
    if decision_id:
        headers.append((b"x-gatehouse-decision-id", decision_id.encode()))
    if client_request_id:
        headers.append((b"x-client-request-id", client_request_id.encode()))
    return headers
