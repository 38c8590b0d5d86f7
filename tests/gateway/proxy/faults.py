"""What providers do wrong, and what then happens: the table of docs/faults.md, and of its test."""

from typing import NamedTuple


class Fault(NamedTuple):
    """One fault of a provider, and its outcome.

    `heard` is what the client hears where nobody else can answer, for a whole answer and for a
    stream: its status and code. `charged` is `nothing` or `bound`, the whole of what was held.
    `elsewhere`: another deployment or model is tried. `again`: so is the same, where the model has
    retries. `counts`: it counts towards leaving the deployment alone.
    """

    name: str
    what: str
    behaviour: dict
    heard: tuple[int, str]
    heard_streaming: tuple[int, str]
    charged: str
    elsewhere: bool
    again: bool
    counts: bool
    elsewhere_streaming: bool | None = None

    def goes_elsewhere(self, *, stream):
        """Return whether somebody else is tried."""
        if stream and self.elsewhere_streaming is not None:
            return self.elsewhere_streaming
        return self.elsewhere


def _status(status, what, heard, *, elsewhere=True, again=True, counts=True, charged="nothing",
            **more):  # fmt: skip
    behaviour = {"status": status, **more}
    name = f"{status}" + "".join(f" {key}" for key in more if key != "billed")
    return Fault(name, what, behaviour, heard, heard, charged, elsewhere, again, counts)


def _mode(mode, what, heard, *, heard_streaming=None, elsewhere=True, elsewhere_streaming=None):
    return Fault(mode, what, {"mode": mode}, heard, heard_streaming or heard, "bound", elsewhere,
                 again=False, counts=True, elsewhere_streaming=elsewhere_streaming)  # fmt: skip


ERROR, TIMEOUT = (502, "upstream_error"), (504, "upstream_timeout")
LIMITED = (429, "upstream_rate_limited")
IN_STREAM = (200, "upstream_error")
NEVER = 10**6

FAULTS = (
    _status(400, "it says that the request is wrong", (400, "upstream_rejected"),
            elsewhere=False, again=False, counts=False),
    _status(401, "it refuses our credential", (502, "upstream_credential_rejected"),
            again=False, counts=False),
    _status(429, "its limit is used up, with `Retry-After: 1`", LIMITED, counts=False,
            retry_after=1),
    _status(429, "its limit is used up, without `Retry-After`", LIMITED, counts=False,
            retry_after=-1),
    _status(500, "it fails", ERROR),
    _status(503, "it is not available", ERROR),
    _status(504, "its own back end is silent", ERROR, again=False, charged="bound"),
    _status(529, "it is overloaded", ERROR),
    Fault("refused", "nobody listens at its address", {}, ERROR, ERROR, "nothing",
          elsewhere=True, again=True, counts=True),
    _mode("reset", "it resets the connection before the head", ERROR),
    _mode("resetmidhead", "it resets the connection in the middle of the head", ERROR),
    _mode("resethead", "it resets the connection after the head", ERROR),
    _mode("resetbody", "it resets the connection in the middle of the body", ERROR,
          heard_streaming=IN_STREAM, elsewhere_streaming=False),
    _mode("hang", "it takes the request and is silent", TIMEOUT),
    _mode("stall", "it stops in the middle of the body", TIMEOUT,
          heard_streaming=(200, "upstream_timeout"), elsewhere_streaming=False),
    _mode("cut", "it ends in the middle", ERROR, elsewhere=False,
          heard_streaming=IN_STREAM, elsewhere_streaming=False),
    _mode("halfevent", "it ends properly, in the middle of an event or object", ERROR,
          elsewhere=False, heard_streaming=IN_STREAM, elsewhere_streaming=False),
    _mode("garbage", "its answer, or one of its events, is no JSON", ERROR, elsewhere=False,
          heard_streaming=IN_STREAM, elsewhere_streaming=False),
    _mode("badgzip", "it says that its answer is gzip, and it is not", ERROR, elsewhere=False),
    _mode("errorbody", "it answers 200 with an error in the body", ERROR, elsewhere=False,
          elsewhere_streaming=True),
    _mode("wrongtype", "it answers 200 with a page for people", ERROR, elsewhere=False,
          elsewhere_streaming=True),
    _mode("hugeevent", "its answer, or one event, is larger than any may be", ERROR,
          elsewhere=False),
)  # fmt: skip


class Manner(NamedTuple):
    """What a provider does differently, and is no fault. Its answer is served, and paid by what was
    told, or in full. Not all of it can be done to an answer in one piece."""

    what: str
    behaviour: dict
    charged: str = "usage"
    only_streams: bool = False

    @property
    def name(self):
        """Return a short name."""
        return " ".join(f"{name} {value}" for name, value in self.behaviour.items())


MANNERS = (
    Manner("it takes its time before the first byte, but not too long", {"latency": 200}),
    Manner("its lines end in CR LF", {"mode": "crlf"}, only_streams=True),
    Manner("its lines end in CR", {"mode": "cr"}, only_streams=True),
    Manner("it begins with a byte order mark", {"mode": "bom"}, only_streams=True),
    Manner("it sends comments and pings, or blanks before an object", {"mode": "pings"}),
    Manner("its events come byte by byte", {"pieces": 1}, only_streams=True),
    Manner("its events come all at once", {"pieces": 1 << 20}, only_streams=True),
    Manner("it never says `[DONE]`", {"mode": "nodone"}, only_streams=True),
    Manner("it resets the connection after its last event", {"mode": "resetend"},
           only_streams=True),
    *(Manner(f"it folds its answer, unasked: {coding}", {"mode": coding})
      for coding in ("gzip", "deflate", "br", "zstd")),
    *(Manner(f"it tells its usage {where}", {"usage": usage}, only_streams=True)
      for usage, where in (
          ("first", "with the first event"), ("middle", "in the middle"),
          ("finish", "with the reason that ends"), ("every", "with every event"),
          ("twice", "twice"), ("after-done", "after `[DONE]`"))),
    Manner("it tells no usage", {"usage": "absent"}, "bound"),
    Manner("it tells a usage of nothing", {"usage": "zero"}, "bound"),
)  # fmt: skip

HEAD = """# What providers do wrong

Each line is tested against a provider that does it, over real sockets, for whole answers and for
streams: with nobody else to answer, with another deployment, with retries, often enough to open
the circuit, and where answers are kept (`tests/gateway/proxy/test_faults.py`). Every attempt has
its own hold, is settled once, and leaves a complete record.

- *heard*: status and `code` where nobody else can answer. `200` is a stream that had begun: it ends
  with an error event of that code and `[DONE]`.
- *charged*: nothing, or the whole bound that was held, because nobody can prove that the provider
  does not bill it.
- *elsewhere*: the next deployment is tried, and then the models that stand in. Nobody is, once a
  byte of the answer has reached the client.
- *again*: the same deployment is tried once more, after a pause, where the model has `retries`:
  only after what is proven to cost nothing.
- *counts*: it counts towards leaving the deployment alone. Once it is left alone, an old answer is
  given where the model has `cache_stale_s` ([cache.md](cache.md)), and not before.
- *kept*: what the cache has afterwards: nothing, or what the next deployment answered. Nothing of
  the fault itself ever is; the next good answer is kept as usual, and a call that gets it again
  touches no provider and holds no money.

| the provider | heard | heard in a stream | charged | elsewhere | again | counts | kept |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""
MIDDLE = """
## What is no fault

Providers differ in manners, too. None of these is a fault: the answer is served, nobody else is
tried, nothing is tried again, and nothing counts towards leaving the deployment alone
(`tests/gateway/proxy/test_fault_manners.py`). *charged* is what it told that it used, or the bound.

| the provider | charged |
| --- | --- |
"""
FOOT = """
After a `400` nobody else is tried: the request itself is wrong. After `401` and `403` the
credential rests for this deployment, 30 s at first, and the call is sent again at once with another
of the provider's credentials; the log line `credential_refused` and the counter
`gatehouse_credentials_refused` tell the operator. After `429` the next credential is used, too;
with a time to come back, or headers that say that nothing is left, the first rests for so long.
"""


def page():
    """Return docs/faults.md."""
    manners = "".join(f"| {one.what} | {one.charged} |\n" for one in MANNERS)
    return HEAD + "".join(map(_line, FAULTS)) + FOOT + MIDDLE + manners


def _line(fault):
    whole, stream = (f"{status} `{code}`" for status, code in (fault.heard, fault.heard_streaming))
    where = "yes" if fault.elsewhere else "no"
    streaming = fault.goes_elsewhere(stream=True)
    if streaming != fault.elsewhere:
        where += ", as a stream " + ("yes" if streaming else "no")
    rest = " | ".join("yes" if one else "no" for one in (fault.again, fault.counts))
    kept = where.replace("yes", "the next one's").replace("no", "nothing")
    label = fault.name.partition(" ")[0]
    shown = f"{fault.what} (`{label}`)" if label.isdigit() else fault.what
    return f"| {shown} | {whole} | {stream} | {fault.charged} | {where} | {rest} | {kept} |\n"
