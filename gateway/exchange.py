"""The values that one call is made of, and that two steps share. Pure.

Those with many fields that each call makes anew are named tuples: making one costs a third.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from gateway.bundle import Budget, Deployment, Limit, Operation, Price, Route, Service
from policies.detectors.finding import Leaf, Scan
from policies.detectors.taint import UNNAMED, Named
from policies.pdp.decision import Decision
from policies.pdp.evaluate import FOREVER
from policies.pdp.rollout import Verdict

Body = dict[str, Any]
"""A JSON object as parsed: what policy and money need is lifted out of it, the rest travels."""

Path = tuple[str | int, ...]
"""Where a string stands in a body; `NESTED` marks the step into JSON that is itself a string.

An integer step into an object is not a value but the key itself, the one at that position.
"""

NESTED = "$json"


class Endpoint(StrEnum):
    """What a client can ask for; the values are the `call.endpoint` fact."""

    CHAT = "chat.completions"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    MODERATIONS = "moderations"
    IMAGES = "images.generations"
    SPEECH = "audio.speech"
    TRANSCRIPTIONS = "audio.transcriptions"
    MESSAGES = "messages"
    COUNT_TOKENS = "messages.count_tokens"
    MODELS = "models"
    SERVICE = "service"


GENERATING = frozenset({Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES})
"""The endpoints whose answers are made of tokens that a cap bounds."""


UNBOUNDED = frozenset({Endpoint.IMAGES, Endpoint.SPEECH, Endpoint.TRANSCRIPTIONS})
"""The endpoints whose answers no cap bounds: only a price for each request says what one costs."""


class Asked(NamedTuple):
    """What an address below /services says: each step and each parameter decoded once."""

    service: str
    method: str
    steps: tuple[str, ...]
    query: tuple[tuple[str, str], ...]


class ServiceCall(NamedTuple):
    """What a service is asked for: one of its operations, and what stands in path and query."""

    service: Service
    route: Route
    operation: Operation
    path: tuple[tuple[str, str], ...]
    query: tuple[tuple[str, str], ...]


class Head(NamedTuple):
    """What is known before the body is read; `model` is what the path names, or "". `headers` are
    the client's, by name in lower case. Below /services, `asked` is what the address says, and
    `service` what that means, once it is known who calls."""

    endpoint: Endpoint
    secret: str
    client_request_id: str
    user: str
    conversation: str
    tags: tuple[tuple[str, str], ...]
    source: str
    model: str = ""
    traceparent: str = ""
    headers: Mapping[bytes, bytes] = {}
    asked: Asked | None = None
    service: ServiceCall | None = None


class Segment(NamedTuple):
    """The part of a leaf's text that stands at `path`: characters `start` to `end` of the leaf."""

    start: int
    end: int
    path: Path


class View(NamedTuple):
    """The inspection view: every string leaf, and where each of its characters stands in the body.

    Adjacent text parts of one message are one leaf with several segments, so that nothing hides in
    the seam between them. Characters in no segment (the names and line ends that stand between
    short strings) are of no body, and edits pass them by. `uninspected` names what cannot be read,
    once for each: "image", "audio", "file", "reference" (what the provider keeps or fetches),
    "tokens" (numbers instead of text), "json" (arguments of no single meaning), "encrypted" (what
    only the provider can read), "other" (parts of an unknown type).
    """

    leaves: tuple[Leaf, ...]
    segments: tuple[tuple[Segment, ...], ...]
    uninspected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters `start` to `end` of leaf `leaf` become `text`."""

    leaf: int
    start: int
    end: int
    text: str


class Call(NamedTuple):
    """A parsed request. `body` is the judged value: what goes upstream is re-serialised from it.

    `file` is what was sent beside it in a form; its name stands in the body. A `service` is asked
    for what stands below "path", "query" and "json" in the body.
    """

    endpoint: Endpoint
    model: str
    body: Body
    size: int
    view: View
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    max_output_tokens: int | None = None
    messages: int = 0
    roles: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    tool_choice: str = ""
    temperature: float | None = None
    user: str = ""
    unknown_fields: tuple[str, ...] = ()
    priced_fields: tuple[str, ...] = ()
    file: bytes = b""
    service: ServiceCall | None = None


class Usage(NamedTuple):
    """Tokens as the provider counted them.

    Input that was read from a cache, or written to one, is part of the input; reasoning is part of
    the output.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One HTTP request to a provider, ready to send. The secret is in `headers` alone."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str = "POST"


class Answer(NamedTuple):
    """A whole answer of a provider in the client's dialect, inspected or not.

    `usage` is None where it was not told. `view` and `text_bytes`, the bytes of text in all of it,
    are empty where no rule looks at answers. What is no JSON has a `content_type`: the text of the
    body's one field, or `raw`, which nobody can inspect. What a client is sent is the body or, by
    `shape`, the value of its one field, whatever JSON that is, or nothing.
    """

    body: Body
    usage: Usage | None
    finish: str
    tool_calls: tuple[str, ...]
    view: View
    text_bytes: int = 0
    content_type: str = ""
    raw: bytes = b""
    shape: Literal["body", "value", "nothing"] = "body"


class Judgement(NamedTuple):
    """What the policy says of a call to one deployment; `facts` is its slot vector."""

    decision: Decision
    facts: list[Any]
    route: Route
    deployment: Deployment
    at_s: float = FOREVER
    verdict: Verdict | None = None


class Case(NamedTuple):
    """A call before the policy: what was detected, and who may serve it, in order of trial.

    `first` is the judgement for the first candidate; the others are judged when their turn comes.
    `digests` are those of the view's leaves where anybody read them, keyed for the tenant.
    `conversation` is the key's id and the name that the client gives its conversation, if any.
    `named` are the hosts that the request names, where a rule asks for those of tools.
    """

    call: Call
    facts: list[Any]
    scan: Scan
    route: Route
    candidates: tuple[Deployment, ...]
    first: Judgement
    digests: Sequence[str] = ()
    conversation: tuple[str, str] = ("", "")
    named: Named = UNNAMED


class Outgoing(NamedTuple):
    """What goes upstream. `operation` is what the provider is asked for, in its own dialect;
    `left_out` are the client's fields that it cannot honour, `beside` those of them that it could
    honour alone, with the field that each stands beside."""

    operation: Endpoint
    body: Body
    left_out: tuple[str, ...] = ()
    file: bytes = b""
    beside: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Permitted:
    """A call that may go to one deployment. Only `transform.enforce` makes one.

    `body` is what was judged, after every obligation, and `outgoing` the same in the provider's
    dialect; `cap` is the output limit per choice that is sent whether the client asked for one or
    not. `redacted` says that something was taken out; `hidden`, how many characters of what hid
    text, by carrier; `placeholders`, which values stand in the answer for what was taken out.
    """

    call: Call
    body: Body
    cap: int
    route: Route
    deployment: Deployment
    outgoing: Outgoing
    redacted: bool = False
    hidden: tuple[tuple[str, int], ...] = ()
    placeholders: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class LimitLine:
    """A rate limit as the counters take it; made once for each revision of a tenant.

    `most` is what it has room for at once, `unit` what one request or token adds to its level;
    `reserving` and `settling` are what the scripts are told of it.
    """

    limit: Limit
    key: str
    tick_ms: int
    most: int
    unit: int
    reserving: tuple[bytes, ...]
    settling: tuple[bytes, ...]


class BudgetLine(NamedTuple):
    """A budget in one of its windows, for one group: where an attempt's money is held."""

    budget: Budget
    start_s: int
    end_s: int
    group: str


class Attempt(NamedTuple):
    """One attempt at serving a call: its operation id, its number, and the instant of its begin.
    `fixed_pico` is what it costs, whatever comes of it: nothing is sent, a kept answer is given."""

    operation: str
    number: int
    now_s: float
    lease_s: float
    fixed_pico: int | None = None


class Reservation(NamedTuple):
    """What one attempt holds: `micros` in each budget, `tokens` in each token limit.

    `epoch` and `seq` are None where no budget applies. `levels` is what each limit is filled to.
    `bounded` says that the attempt cannot cost more than what is held; `fixed_pico`, that it costs
    just that.
    """

    operation: str
    attempt: int
    limits: tuple[LimitLine, ...]
    budgets: tuple[BudgetLine, ...]
    tokens: int
    micros: int
    bound_pico: int
    price: Price | None
    epoch: int | None
    seq: int | None
    levels: tuple[int, ...]
    counted: bool
    bounded: bool = True
    fixed_pico: int | None = None

    def granted(
        self, budgets: tuple[BudgetLine, ...], epoch: int, seq: int, levels: tuple[int, ...]
    ) -> "Reservation":
        """Return it as the counters have granted it."""
        return Reservation(
            self.operation,
            self.attempt,
            self.limits,
            budgets,
            self.tokens,
            self.micros,
            self.bound_pico,
            self.price,
            epoch if budgets else None,
            seq if budgets else None,
            levels,
            counted=True,
            bounded=self.bounded,
            fixed_pico=self.fixed_pico,
        )


class Charge(NamedTuple):
    """What an attempt cost: by the provider's `usage`, or the whole `bound` where that is unknown,
    or nothing because it was `not_sent` or `not_billed`, or what an answer that was `kept` costs.
    """

    pico: int
    micros: int
    basis: str
    usage: Usage | None


class Origin(NamedTuple):
    """What an answer is called by those who speak for a provider that gives it no name, and when
    it was made."""

    name: str
    created_s: int


class Recalled(NamedTuple):
    """What kept answers had to do with a call, as its records say.

    `outcome` is "hit", "miss", "bypass" (neither looked for nor, mostly, kept) or "replayed" (a
    request that was sent again). `saved_pico` is what the answer cost first, less what it costs
    now; `first` is the call that it was made for.
    """

    outcome: str
    age_s: int = 0
    stale: bool = False
    saved_pico: int = 0
    currency: str = ""
    first: str = ""
