"""The fact schema: all that a rule can see of a call, one typed value per slot. Pure.

Facts hold no text of a prompt and no value of an entity. Every fact always has a value: what is not
known of a call has the default. The order of the table is the order of the slots; a change of the
table raises `SCHEMA_VERSION`, because recorded slots are read with the table they were made for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

SCHEMA_VERSION = 5

SCHEMAS: tuple[int, ...] = (5, 4, 3, 2, 1)
"""The versions under which records exist, newest first. Facts were only ever added, and a record
holds them by name: under any of these, a fact that a record does not have has its default."""

Phase = Literal["request", "answer"]
FactType = Literal["bool", "int", "double", "string", "list<string>", "list<finding>"]
Feed = Literal["", "pii", "secrets", "injection", "custom", "all"]


class FindingFact(NamedTuple):
    """What a detector found `count` times at one place (a role or part such as "user"): no text."""

    kind: str
    category: str
    score: float
    place: str
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here


FINDING_FIELDS: Mapping[str, FactType] = MappingProxyType(
    {"kind": "string", "category": "string", "score": "double", "place": "string", "count": "int"}
)
"""The types of a finding's fields, in the order of `FindingFact`."""

FactValue = bool | int | float | str | Sequence[str] | Sequence[FindingFact]

DETECTORS: frozenset[str] = frozenset({"pii", "secrets", "injection", "custom"})

NER = "ner"
"""The detector of names, a model in a process of its own. It feeds the facts of "pii" too, but only
for tenants that ask for kinds of it: what reads those facts fails where it fails."""

NAMED: frozenset[str] = frozenset({"DATE_TIME", "LOCATION", "NRP", "ORGANIZATION", "PERSON"})
"""The kinds of personal data that it finds, as Presidio names them."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its type, its value when nothing is known, and which detector feeds it, if any."""

    type: FactType
    default: FactValue
    phase: Phase
    detector: Feed
    doc: str

    @property
    def detectors(self) -> frozenset[str]:
        """The names of the detectors that must have run for this fact to be true."""
        if self.detector == "all":
            return DETECTORS
        return frozenset({self.detector}) if self.detector else frozenset()


def _text(doc: str) -> Fact:
    return Fact("string", "", "request", "", doc)


def _number(doc: str, default: int = 0, detector: Feed = "", phase: Phase = "request") -> Fact:
    return Fact("int", default, phase, detector, doc)


def _flag(doc: str) -> Fact:
    return Fact(type="bool", default=False, phase="request", detector="", doc=doc)


def _score(doc: str, default: float = 0.0, detector: Feed = "", phase: Phase = "request") -> Fact:
    return Fact("double", default, phase, detector, doc)


def _words(doc: str, detector: Feed = "", phase: Phase = "request") -> Fact:
    return Fact("list<string>", (), phase, detector, doc)


def _findings(doc: str, phase: Phase) -> Fact:
    return Fact("list<finding>", (), phase, "all", doc)


FACTS: Mapping[str, Fact] = MappingProxyType(
    {
        "tenant.name": _text("The tenant's name."),
        "app.name": _text("The calling app's name."),
        "app.tier": _text("The app's tier as the administrator set it; empty: none."),
        "key.id": _text("The public id of the virtual key."),
        "key.name": _text("The name of the virtual key."),
        "user.present": _flag("True where the end user is known: of the key, or as declared."),
        "user.id": _text("The end user's id: the key's own, else as the client declared it."),
        "source.hour": _number("Hour of the day (0-23) in the tenant's time zone."),
        "source.weekday": _number("Day of the week (1 Monday - 7 Sunday) in the tenant's zone.", 1),
        "call.endpoint": _text("What is asked for, such as chat.completions."),
        "call.stream": _flag("True where the answer is to be streamed."),
        "call.messages": _number("Number of messages."),
        "call.roles": _words("The roles used, each once."),
        "call.tools": _words("The names of the tools that the client offers."),
        "call.tool_choice": _text("auto, none, required or a tool's name; empty: not given."),
        "call.n": _number("Number of answers asked for.", 1),
        "call.max_output_tokens": _number("The cap that the client asked for; 0: none."),
        "call.temperature": _score("The temperature asked for; -1.0: not given.", -1.0),
        "call.bytes": _number("Size of the request body in bytes."),
        "call.estimated_tokens": _number("Input tokens as estimated before the call."),
        "call.images": _number("Number of images."),
        "call.audio": _number("Number of audio parts."),
        "call.files": _number("Number of files."),
        "call.tags": _words('The declared tags, each as "name=value".'),
        "call.unknown_fields": _words("Fields of the body that no dialect lists."),
        "model.asked": _text("The public model name that the client asked for."),
        "model.routed": _text("The public model name after routing."),
        "model.provider": _text("The provider of the deployment under evaluation."),
        "model.region": _text("The region of the deployment under evaluation."),
        "findings": _findings("All that the detectors found in the request.", "request"),
        "pii.count": _number("How many pieces of personal data were found.", 0, "pii"),
        "pii.kinds": _words("The kinds of personal data found, each once.", "pii"),
        "pii.max_score": _score("The highest score of them (0-1).", 0.0, "pii"),
        "injection.count": _number("How many injection signals were found.", 0, "injection"),
        "injection.score": _score("The weight of the signals together (0-1).", 0.0, "injection"),
        "injection.signals": _words("The names of the signals, each once.", "injection"),
        "uninspected.count": _number("How many parts could not be inspected."),
        "uninspected.kinds": _words("Their kinds: image, audio, file, reference."),
        "risk": _number("Points that the risk rules added so far (0-1000000)."),
        "answer.finish": Fact("string", "", "answer", "", "Why the answer ended."),
        "answer.bytes": _number("Bytes of text in the answer.", phase="answer"),
        "answer.tool_calls": _words("The names of the tools that it calls.", phase="answer"),
        "answer.findings": _findings("All that the detectors found in the answer.", "answer"),
        "answer.pii.count": _number(
            "How many pieces of personal data the answer holds.", 0, "pii", "answer"
        ),
        "answer.pii.kinds": _words("Their kinds, each once.", "pii", "answer"),
        "answer.pii.max_score": _score("The highest score of them (0-1).", 0.0, "pii", "answer"),
        "secret.count": _number("How many credentials were found.", 0, "secrets"),
        "secret.kinds": _words("The kinds of credentials found, each once.", "secrets"),
        "secret.max_score": _score("The highest score of them (0-1).", 0.0, "secrets"),
        "answer.secret.count": _number(
            "How many credentials the answer holds.", 0, "secrets", "answer"
        ),
        "answer.secret.kinds": _words("Their kinds, each once.", "secrets", "answer"),
        "answer.secret.max_score": _score(
            "The highest score of them (0-1).", 0.0, "secrets", "answer"
        ),
        "call.headers": _words("Those of the headers that rules name which the client sent."),
        "answer.links": _words("The hosts that links in the answer lead to.", phase="answer"),
        "call.service": _text("The service that is asked, beside the models; empty: none."),
        "call.operation": _text("The operation that the service is asked for."),
        "call.method": _text("The HTTP method of that operation."),
        "custom.count": _number("How many matches the tenant's own detectors found.", 0, "custom"),
        "custom.kinds": _words("The kinds that they found, each once.", "custom"),
        "custom.max_score": _score("The highest score of them (0-1).", 0.0, "custom"),
        "answer.custom.count": _number(
            "How many matches of the tenant's own detectors the answer holds.",
            0,
            "custom",
            "answer",
        ),
        "answer.custom.kinds": _words("Their kinds, each once.", "custom", "answer"),
        "answer.custom.max_score": _score(
            "The highest score of them (0-1).", 0.0, "custom", "answer"
        ),
        "budget.used_percent": _number(
            "How full the fullest budget is (0-100), as this worker saw it last."
        ),
        "budget.remaining_micros": _number("What that budget has left, as last seen."),
        "budget.age_ms": _number("How long ago that was seen; -1: never.", -1),
        "rate.used_percent": _number(
            "How full the fullest limit is (0-100), as this worker saw it last."
        ),
        "rate.age_ms": _number("How long ago that was seen; -1: never.", -1),
        "call.tool_hosts": _words("The hosts that tool results of the request name."),
        "answer.tool_faults": _words(
            "What is wrong with its tool calls: unoffered, unparsed, arguments or unchecked.",
            phase="answer",
        ),
        "answer.tainted_hosts": _words(
            "Hosts of its links and tool arguments that only tool results named.", phase="answer"
        ),
        "answer.echo_percent": _number(
            "How much of the system prompt the answer repeats (0-100).", phase="answer"
        ),
    }
)

SLOTS: Mapping[str, int] = MappingProxyType({name: slot for slot, name in enumerate(FACTS)})
"""Where each fact stands in a slot vector."""

DEFAULTS: tuple[FactValue, ...] = tuple(fact.default for fact in FACTS.values())
"""The slot vector of a call of which nothing is known."""

RISK_MAX = 1_000_000
"""The sum of risk points stops here, so that it is an ordinary small integer for ever."""


def detectors_of(names: Iterable[str], phase: Phase | None = None) -> frozenset[str]:
    """Return the detectors that feed these facts, or those of them that belong to `phase`."""
    facts = (FACTS[name] for name in names)
    chosen = (fact.detectors for fact in facts if phase is None or fact.phase == phase)
    return frozenset[str]().union(*chosen)
