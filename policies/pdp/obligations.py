"""What a policy may demand of a permitted call, and the laws by which demands merge. Pure.

Each `merge` is commutative, idempotent and associative, and its result demands at least what either
side did. What depends on an order (prompts, defaults) is put in that of layers and rule ids by
`combine`, so that the order in which rules come cannot be seen there either. `written` is the form
in which documents and records keep an obligation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar, get_args

Json = bool | int | float | str | None | list["Json"] | dict[str, "Json"]

RedactMethod = Literal["drop", "mask", "hash", "placeholder"]

REDACT_METHODS: tuple[RedactMethod, ...] = ("drop", "mask", "hash", "placeholder")
"""The methods, strictest first."""

Carrier = Literal["unicode_tags", "zero_width", "bidi", "html_comments"]

CARRIERS: tuple[Carrier, ...] = get_args(Carrier)
"""What can hide text in a text."""

Parameter = Literal["max_output_tokens", "temperature", "top_p"]

PARAMETERS: tuple[Parameter, ...] = get_args(Parameter)
"""What a client may leave open, and a policy may set then."""

N = TypeVar("N", int, float)

_NEEDS: dict[str, str] = {"kinds": "pii", "secrets": "secrets", "custom": "custom"}


@dataclass(frozen=True, slots=True)
class Redact:
    """Take out what was found from `min_score` (0-1) on.

    `kinds` are of personal data, `secrets` of credentials, `custom` are what tenants look for
    themselves: empty means every kind, None means none.
    `links` are those of answers. A rule that redacts secrets names neither `hash` nor
    `placeholder`, and one of the answer phase no `placeholder`: nobody would restore it.
    """

    key: ClassVar[str] = "redact"

    kinds: frozenset[str] | None
    min_score: float
    method: RedactMethod
    secrets: frozenset[str] | None = None
    links: bool = False
    custom: frozenset[str] | None = None

    def covers(self, kind: str, score: float) -> bool:
        """Say whether a piece of personal data of this kind and score must be removed."""
        return score >= self.min_score and _within(kind, self.kinds)

    def names(self, kind: str) -> bool:
        """Say whether personal data of this kind is taken out, from some score on."""
        return _within(kind, self.kinds)

    def covers_secret(self, kind: str, score: float) -> bool:
        """Say whether a credential of this kind and score must be removed."""
        return score >= self.min_score and _within(kind, self.secrets)

    def covers_custom(self, kind: str, score: float) -> bool:
        """Say whether what a tenant looks for of this kind and score must be removed."""
        return score >= self.min_score and _within(kind, self.custom)

    @property
    def detectors(self) -> frozenset[str]:
        """The detectors without which it cannot be kept."""
        return frozenset(
            detector for name, detector in _NEEDS.items() if getattr(self, name) is not None
        )

    def merge(self, other: "Redact") -> "Redact":
        """Union of the kinds (none named: every kind), lowest score, strictest method."""
        return Redact(
            kinds=_united(self.kinds, other.kinds),
            min_score=min(self.min_score, other.min_score),
            method=min(self.method, other.method, key=REDACT_METHODS.index),
            secrets=_united(self.secrets, other.secrets),
            links=self.links or other.links,
            custom=_united(self.custom, other.custom),
        )

    def written(self) -> Json:
        """Return it as it is kept; of links alone there is no score."""
        written: dict[str, Json] = {"method": self.method}
        if self.kinds is not None:
            written["kinds"] = kinds_written(self.kinds)
        if self.secrets is not None:
            written["secrets"] = kinds_written(self.secrets)
        if self.custom is not None:
            written["custom"] = kinds_written(self.custom)
        if self.detectors:
            written["min_score"] = self.min_score
        if self.links:
            written["links"] = True
        return written


@dataclass(frozen=True, slots=True)
class Sanitise:
    """Take out what hides text in a text."""

    key: ClassVar[str] = "sanitise"

    carriers: frozenset[Carrier]

    def merge(self, other: "Sanitise") -> "Sanitise":
        """Union."""
        return Sanitise(self.carriers | other.carriers)

    def written(self) -> Json:
        """Return it as it is kept."""
        return [carrier for carrier in CARRIERS if carrier in self.carriers]


@dataclass(frozen=True, slots=True)
class Cap:
    """Bound a call; None: no bound.

    `max_output_tokens` and `temperature` are lowered. A call over one of the others is denied: with
    fewer answers, messages or bytes it would be another call.
    """

    key: ClassVar[str] = "cap"

    max_output_tokens: int | None = None
    n: int | None = None
    temperature: float | None = None
    messages: int | None = None
    bytes: int | None = None

    def merge(self, other: "Cap") -> "Cap":
        """The smaller of each."""
        return Cap(
            _least(self.max_output_tokens, other.max_output_tokens),
            _least(self.n, other.n),
            _least(self.temperature, other.temperature),
            _least(self.messages, other.messages),
            _least(self.bytes, other.bytes),
        )

    def written(self) -> dict[str, Json]:
        """Return it as it is kept: what is bounded."""
        bounds: dict[str, Json] = {name: getattr(self, name) for name in self.__slots__}
        return {name: bound for name, bound in bounds.items() if bound is not None}


@dataclass(frozen=True, slots=True)
class RouteTo:
    """Serve the call with this public model instead of the one asked for."""

    key: ClassVar[str] = "route"

    model: str

    def merge(self, _later: "RouteTo") -> "RouteTo":
        """The earlier: the highest layer's, which has one."""
        return self

    def written(self) -> Json:
        """Return it as it is kept."""
        return self.model


@dataclass(frozen=True, slots=True)
class AllowModels:
    """Only these public models may serve the call."""

    key: ClassVar[str] = "allow_models"

    names: frozenset[str]

    def merge(self, other: "AllowModels") -> "AllowModels":
        """Intersection; an empty one denies."""
        return AllowModels(self.names & other.names)

    def written(self) -> Json:
        """Return it as it is kept."""
        return list[Json](sorted(self.names))


@dataclass(frozen=True, slots=True)
class AllowRegions:
    """Only deployments in these regions may serve the call."""

    key: ClassVar[str] = "allow_regions"

    names: frozenset[str]

    def merge(self, other: "AllowRegions") -> "AllowRegions":
        """Intersection; an empty one denies."""
        return AllowRegions(self.names & other.names)

    def written(self) -> Json:
        """Return it as it is kept."""
        return list[Json](sorted(self.names))


@dataclass(frozen=True, slots=True)
class AllowTools:
    """Only these tools may be offered (a rule of the request) or called (one of the answer)."""

    key: ClassVar[str] = "allow_tools"

    names: frozenset[str]

    def merge(self, other: "AllowTools") -> "AllowTools":
        """Intersection; an empty one denies."""
        return AllowTools(self.names & other.names)

    def written(self) -> Json:
        """Return it as it is kept."""
        return list[Json](sorted(self.names))


@dataclass(frozen=True, slots=True)
class AddSystemPrompt:
    """Put these texts before what the client tells the model, each once, in this order."""

    key: ClassVar[str] = "add_system_prompt"

    texts: tuple[str, ...]

    def merge(self, later: "AddSystemPrompt") -> "AddSystemPrompt":
        """Those of `later` behind these, each text once."""
        return AddSystemPrompt(tuple(dict.fromkeys(self.texts + later.texts)))

    def written(self) -> Json:
        """Return it as it is kept."""
        return list[Json](self.texts) if len(self.texts) > 1 else self.texts[0]


@dataclass(frozen=True, slots=True)
class SetDefault:
    """Set what the client left open, sorted by name."""

    key: ClassVar[str] = "set_default"

    values: tuple[tuple[Parameter, float], ...]

    def value(self, name: Parameter) -> float | None:
        """Return what is set of this name."""
        return dict(self.values).get(name)

    def merge(self, later: "SetDefault") -> "SetDefault":
        """Union; of two values for one name, this one's."""
        return SetDefault(tuple(sorted({**dict(later.values), **dict(self.values)}.items())))

    def written(self) -> Json:
        """Return it as it is kept."""
        return {name: value for name, value in self.values}  # noqa: C416 (a dict of wider values)


@dataclass(frozen=True, slots=True)
class Tag:
    """Write these names and values into the record of the call, sorted."""

    key: ClassVar[str] = "tag"

    tags: frozenset[tuple[str, str]]

    def merge(self, other: "Tag") -> "Tag":
        """Union; a name may have several values then."""
        return Tag(self.tags | other.tags)

    def written(self) -> Json:
        """Return it as it is kept: each name with its value, or with a list of several."""
        written: dict[str, list[Json]] = {}
        for name, value in sorted(self.tags):
            written.setdefault(name, []).append(value)
        return {name: found if len(found) > 1 else found[0] for name, found in written.items()}


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell of the call under these topics; nothing waits for that."""

    key: ClassVar[str] = "notify"

    topics: frozenset[str]

    def merge(self, other: "Notify") -> "Notify":
        """Union."""
        return Notify(self.topics | other.topics)

    def written(self) -> Json:
        """Return it as it is kept."""
        return list[Json](sorted(self.topics))


@dataclass(frozen=True, slots=True)
class Require:
    """Deny the call unless it names an end user, sends these headers, declares these tags."""

    key: ClassVar[str] = "require"

    user: bool = False
    headers: frozenset[str] = frozenset()
    metadata: frozenset[str] = frozenset()

    def merge(self, other: "Require") -> "Require":
        """Union."""
        return Require(
            self.user or other.user, self.headers | other.headers, self.metadata | other.metadata
        )

    def written(self) -> Json:
        """Return it as it is kept: what is required."""
        written: dict[str, Json] = {"user": True} if self.user else {}
        if self.headers:
            written["headers"] = list[Json](sorted(self.headers))
        if self.metadata:
            written["metadata"] = list[Json](sorted(self.metadata))
        return written


Obligation = (
    Redact
    | Sanitise
    | Cap
    | RouteTo
    | AllowModels
    | AllowRegions
    | AllowTools
    | AddSystemPrompt
    | SetDefault
    | Tag
    | Notify
    | Require
)
"""What must be done to a permitted call: closed, so that a new one is a type error elsewhere."""

KINDS: tuple[type[Obligation], ...] = get_args(Obligation)
"""Every kind of obligation, in the order in which a decision lists them."""

ALLOWED = (AllowModels, AllowRegions, AllowTools)
"""Those that name all that is allowed: where they leave nothing, they deny."""

ADVICE = (Tag, Notify)
"""Those that change nothing of a call, and so hold for a denied one too."""


K = TypeVar("K", bound=Obligation)


def demand(obligations: Iterable[Obligation], kind: type[K]) -> K | None:
    """Return the first obligation of this kind, or None."""
    found = (item for item in obligations if isinstance(item, kind))
    return next(found, None)


def kinds_written(kinds: frozenset[str]) -> Json:
    """Return kinds as documents name them: no kind stands for every kind."""
    return list[Json](sorted(kinds)) if kinds else "all"


def _within(kind: str, kinds: frozenset[str] | None) -> bool:
    return kinds is not None and (not kinds or kind in kinds)


def _united(left: frozenset[str] | None, right: frozenset[str] | None) -> frozenset[str] | None:
    """None is nothing, empty is everything."""
    if left is None or right is None:
        return right if left is None else left
    return left | right if left and right else frozenset()


def _least(left: N | None, right: N | None) -> N | None:
    if left is None or right is None:
        return right if left is None else left
    return min(left, right)
