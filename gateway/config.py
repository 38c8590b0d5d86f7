"""Environment and secret files become frozen values, once. Knows no framework."""

import base64
import binascii
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from gateway.data_folder import DataFolder
from gateway.environment import Network, Reader

Role = Literal["all", "proxy", "console"]

ROLES: tuple[Role, ...] = ("all", "proxy", "console")
DATABASE_SCHEMES = ("postgresql", "postgres")
CLUSTER_SCHEMES = ("redis+cluster", "rediss+cluster")
REDIS_SCHEMES = ("redis", "rediss", "unix", *CLUSTER_SCHEMES)
BROKER_SCHEMES = ("redis", "rediss", "amqp", "amqps")
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - recognised, not listened on
SECRET_KEY_LENGTH_MIN = 32
TOKEN_LENGTH_MIN = 16
DISTINCT_MIN = 8
NER_CHARACTERS = 20_000
KEK_BYTES = 32
TELL_TALE = re.compile(r"change.?me|insecure|example|default|password|placeholder", re.IGNORECASE)
MIB = 1024 * 1024


_CREDENTIALS = (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "REDIS_URL",
    "GATEHOUSE_CACHE_URL",
    "CELERY_BROKER_URL",
    "GATEHOUSE_SECRET_KEY",
    "GATEHOUSE_KEK",
    "GATEHOUSE_KEK_PREVIOUS",
    "GATEHOUSE_METRICS_TOKEN",
)
SECRETS = (*_CREDENTIALS, *(f"{name}_FILE" for name in _CREDENTIALS))
"""The variables that let somebody in somewhere."""

SOCKET_PATH_MAX = 107  # bytes that the kernel has for the path of a Unix socket


class ConfigError(Exception):
    """The environment is wrong. `problems` has a line for each fault, without secrets."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        count = "One setting is" if len(problems) == 1 else f"{len(problems)} settings are"
        super().__init__("\n  ".join([f"{count} wrong:", *problems]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that the environment decides. Suffixes name units: `_s`, `_ms`, `_bytes`.

    The server URLs are empty while nothing is configured and no server of ours runs yet
    (`gateway.embedded` starts those); `load(..., serving=True)` refuses that state.
    """

    host: str
    port: int
    data: Path
    database_url: str = field(repr=False)
    database_owner_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    cache_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    kek: bytes = field(repr=False)
    kek_previous: bytes | None = field(repr=False)
    web_workers: int
    role: Role
    demo: bool
    auth_grace_s: float
    trusted_proxies: tuple[Network, ...]
    metrics_token: str | None = field(repr=False)
    max_body_bytes: int
    max_messages: int
    body_read_s: float
    upstream_connect_s: float
    upstream_first_byte_s: float
    upstream_idle_s: float
    upstream_total_s: float
    redis_timeout_ms: int
    drain_s: float
    max_in_flight: int
    provider_in_flight: int
    queue: int
    queue_s: float
    usage_hours_days: int
    cache_tenant_bytes: int
    idempotency_s: int
    ner_file: Path | None
    ner_socket: Path
    ner_ms: int
    ner_characters: int

    @property
    def base_url(self) -> str:
        """Where a program on this machine finds us."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{WILDCARDS.get(self.host, host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class NerPlace:
    """What the process of the models needs to know: their file, where it listens, and how many
    characters of one text it reads."""

    file: Path
    socket: Path
    characters: int


def ner_place(environ: Mapping[str, str]) -> NerPlace:
    """Read what the process of the models needs, and no secret. Raises ConfigError."""
    read = Reader(environ)
    file = _ner_file(read)
    socket = _ner_socket(read, _data(read))
    characters = _ner_characters(read)
    if file is None and not read.problems:
        read.refuse("GATEHOUSE_NER", "nothing", "the file that names models: named-entities.md")
    if file is None or read.problems:
        raise ConfigError(tuple(read.problems))
    return NerPlace(file, socket, characters)


def load(environ: Mapping[str, str], *, serving: bool = False) -> Config:
    """Read all settings; a secret that is not given is made, once, in the data folder.

    `serving` demands the servers' URLs too. Raises ConfigError with every fault there is.
    """
    read = Reader(environ)
    data = _data(read)
    database = read.url("DATABASE_URL", DATABASE_SCHEMES, required=serving)
    redis = read.url("REDIS_URL", REDIS_SCHEMES, required=serving)
    config = Config(
        host=read.host("HOST", "127.0.0.1"),
        port=read.whole("PORT", 8000, 1, 65535),
        data=data,
        database_url=database,
        database_owner_url=read.url("DATABASE_OWNER_URL", DATABASE_SCHEMES) or database,
        redis_url=redis,
        cache_url=read.url("GATEHOUSE_CACHE_URL", REDIS_SCHEMES) or redis,
        broker_url=_broker(read, redis),
        secret_key=_secret_key(read, data),
        kek=_kek(read, data),
        kek_previous=_kek_previous(read),
        web_workers=read.whole("WEB_WORKERS", 1, 1, 256),
        role=read.choice("GATEHOUSE_ROLE", "all", ROLES),
        demo=read.truth("GATEHOUSE_DEMO", default=False),
        auth_grace_s=read.seconds("GATEHOUSE_AUTH_GRACE_S", 30, 0, 300),
        trusted_proxies=read.networks("GATEHOUSE_TRUSTED_PROXIES"),
        metrics_token=_metrics_token(read),
        max_body_bytes=read.whole("GATEHOUSE_MAX_BODY_BYTES", 4 * MIB, 1024, 256 * MIB),
        max_messages=read.whole("GATEHOUSE_MAX_MESSAGES", 2048, 1, 100_000),
        body_read_s=read.seconds("GATEHOUSE_BODY_READ_S", 30, 0.1, 3600),
        upstream_connect_s=read.seconds("GATEHOUSE_UPSTREAM_CONNECT_S", 5, 0.1, 60),
        upstream_first_byte_s=read.seconds("GATEHOUSE_UPSTREAM_FIRST_BYTE_S", 60, 0.1, 3600),
        upstream_idle_s=read.seconds("GATEHOUSE_UPSTREAM_IDLE_S", 60, 0.1, 3600),
        upstream_total_s=read.seconds("GATEHOUSE_UPSTREAM_TOTAL_S", 600, 0.1, 86_400),
        redis_timeout_ms=read.whole("GATEHOUSE_REDIS_TIMEOUT_MS", 50, 1, 60_000),
        drain_s=read.seconds("GATEHOUSE_DRAIN_S", 30, 0, 3600),
        max_in_flight=read.whole("GATEHOUSE_MAX_IN_FLIGHT", 1024, 1, 100_000),
        provider_in_flight=read.whole("GATEHOUSE_PROVIDER_IN_FLIGHT", 256, 1, 100_000),
        queue=read.whole("GATEHOUSE_QUEUE", 1024, 0, 100_000),
        queue_s=read.seconds("GATEHOUSE_QUEUE_S", 2, 0, 60),
        usage_hours_days=read.whole("GATEHOUSE_USAGE_HOURS_DAYS", 90, 3, 36_500),
        cache_tenant_bytes=read.whole("GATEHOUSE_CACHE_TENANT_BYTES", 64 * MIB, 4096, 2**40),
        idempotency_s=read.whole("GATEHOUSE_IDEMPOTENCY_S", 86_400, 60, 30 * 86_400),
        ner_file=_ner_file(read),
        ner_socket=_ner_socket(read, data),
        ner_ms=read.whole("GATEHOUSE_NER_MS", 500, 10, 60_000),
        ner_characters=_ner_characters(read),
    )
    if read.text("GATEHOUSE_METRICS_PORT"):
        read.refuse("GATEHOUSE_METRICS_PORT", "a value", "none: metrics are at /metrics of PORT")
    if read.problems:
        raise ConfigError(tuple(read.problems))
    return config


def _data(read: Reader) -> Path:
    return Path(read.text("GATEHOUSE_DATA", "var")).expanduser().absolute()


def _ner_file(read: Reader) -> Path | None:
    text = read.text("GATEHOUSE_NER")
    if not text:
        return None
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        read.refuse("GATEHOUSE_NER", repr(text), "a file that names models: named-entities.md")
    return path


def _ner_socket(read: Reader, data: Path) -> Path:
    text = read.text("GATEHOUSE_NER_SOCKET")
    path = Path(text).expanduser().absolute() if text else DataFolder(data).run / "ner.sock"
    size = len(os.fsencode(path))
    if size > SOCKET_PATH_MAX and (text or read.text("GATEHOUSE_NER")):
        found, most = f"a path of {size} bytes", f"at most {SOCKET_PATH_MAX} bytes"
        read.refuse("GATEHOUSE_NER_SOCKET", found, f"the path of a Unix socket, {most}")
    return path


def _ner_characters(read: Reader) -> int:
    return read.whole("GATEHOUSE_NER_CHARACTERS", NER_CHARACTERS, 256, 262_144)


def _broker(read: Reader, redis: str) -> str:
    expected = "the URL of a single Redis or Valkey: Celery cannot use a cluster as its broker"
    given = read.url("CELERY_BROKER_URL", (*BROKER_SCHEMES, *CLUSTER_SCHEMES))
    if _is_cluster(given):
        read.refuse("CELERY_BROKER_URL", "a Redis Cluster", expected)
    elif not given and _is_cluster(redis):
        read.refuse("CELERY_BROKER_URL", "nothing, and a Redis Cluster as REDIS_URL", expected)
    return given or redis


def _is_cluster(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in CLUSTER_SCHEMES or "cluster=true" in parts.query.lower().split("&")


def _secret_key(read: Reader, data: Path) -> str:
    name = "GATEHOUSE_SECRET_KEY"
    text = read.secret(name)
    if text is None:
        text = _stored(read, data, "secret_key", lambda: secrets.token_urlsafe(48))
    if text is None:
        return ""
    if len(text) < SECRET_KEY_LENGTH_MIN or len(set(text)) < DISTINCT_MIN:
        found = f"{len(text)} characters, {len(set(text))} of them distinct"
        read.refuse(name, found, f"at least {SECRET_KEY_LENGTH_MIN} random characters")
    elif TELL_TALE.search(text):
        read.refuse(name, "a value copied from an example", "random characters")
    return text


def _kek(read: Reader, data: Path) -> bytes:
    name = "GATEHOUSE_KEK"
    text = read.secret(name)
    if text is None:
        text = _stored(read, data, "kek", _new_kek)
    return b"" if text is None else _decoded_kek(read, name, text)


def _kek_previous(read: Reader) -> bytes | None:
    name = "GATEHOUSE_KEK_PREVIOUS"
    text = read.secret(name)
    return None if text is None else _decoded_kek(read, name, text)


def _new_kek() -> str:
    return base64.b64encode(secrets.token_bytes(KEK_BYTES)).decode("ascii")


def _decoded_kek(read: Reader, name: str, text: str) -> bytes:
    expected = f"base64 of {KEK_BYTES} random bytes (openssl rand -base64 {KEK_BYTES})"
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        read.refuse(name, f"{len(text)} characters that are not base64", expected)
        return b""
    if len(key) != KEK_BYTES:
        read.refuse(name, f"base64 of {len(key)} bytes", expected)
    elif len(set(key)) < DISTINCT_MIN or TELL_TALE.search(key.decode("latin-1")):
        read.refuse(name, "a value that is not random", expected)
    return key


def _metrics_token(read: Reader) -> str | None:
    name = "GATEHOUSE_METRICS_TOKEN"
    text = read.secret(name)
    if text is not None and len(text) < TOKEN_LENGTH_MIN:
        read.refuse(name, f"{len(text)} characters", f"at least {TOKEN_LENGTH_MIN}")
    return text


def _stored(read: Reader, data: Path, name: str, make: Callable[[], str]) -> str | None:
    try:
        return DataFolder(data).secret(name, make)
    except OSError as error:
        read.refuse("GATEHOUSE_DATA", f"{str(data)!r} ({error.strerror})", "a folder to write in")
        return None
