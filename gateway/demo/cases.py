"""The demo's prompts, judged as the data plane judges them: once each, for each key and model."""

import datetime
from dataclasses import dataclass

import orjson

from gateway.bundle import Bundle
from gateway.config import Config
from gateway.demo.profiles import PROMPTS, Profile
from gateway.exchange import Case, Endpoint, Head, Judgement, Permitted
from gateway.proxy import decide, facts, parse, transform
from gateway.proxy import tenant as tenants
from gateway.proxy.choosing import Choosing
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Forbidden
from gateway.proxy.loader import KeyRow
from gateway.proxy.tenant import LoadedTenant
from tenants.models import VirtualKey

JSON = {b"content-type": b"application/json"}
SYSTEM = "You help the people of this organisation. Answer briefly and plainly."
CAP = 512


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prompt of a key to a model: how it was judged, and for each deployment what may be sent.

    `denial` is what the caller hears where nothing may.
    """

    raw: bytes
    case: Case
    tries: tuple[tuple[Judgement, Permitted], ...]
    denial: Forbidden | None


def load(bundle: Bundle, config: Config) -> LoadedTenant:
    """Make a tenant ready as a worker does."""
    previous = (config.kek_previous,) if config.kek_previous else ()
    return tenants.load(bundle, (config.kek, *previous))


def principal(key: VirtualKey, tenant: LoadedTenant) -> Principal:
    """Return the key as the one that calls, while it still could."""
    app_id = str(key.app_id)
    row = KeyRow(
        public_id=key.public_id, name=key.name, user=key.user, active=True, expires_at=None,
        app_id=app_id, app_active=True, tenant_id=str(key.tenant_id), tenant_active=True,
        revision=tenant.bundle.revision,
    )  # fmt: skip
    app = tenant.apps[app_id]
    lines = tenant.lines(app_id, key.public_id)
    slots = facts.of_principal(row, tenant, app)
    return Principal(bytes(key.digest), row, tenant, app, lines, float("inf"), slots)


async def prepare(
    caller: Principal, profile: Profile, most_messages: int, at: datetime.datetime
) -> dict[tuple[int, str], Prepared]:
    """Return every prompt that a profile may send, judged for each of its models."""
    return {
        (number, model): await _prepared(caller, prompt, model, most_messages, at)
        for number, prompt in enumerate(PROMPTS)
        for model, _ in profile.models
    }


async def _prepared(
    caller: Principal, prompt: str, model: str, most_messages: int, at: datetime.datetime
) -> Prepared:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}]
    raw = orjson.dumps({"model": model, "messages": messages, "max_tokens": CAP})
    head = Head(Endpoint.CHAT, "", "", "", "", (), "")
    call = parse.call(head, raw, JSON, most_messages)
    case = await decide.decide(head, call, caller, at, Choosing(0.0))
    tries = []
    for deployment in case.candidates:
        judgement = decide.judgement(case, caller, case.route, deployment)
        try:
            tries.append((judgement, transform.enforce(case, judgement, caller.tenant.hash_key)))
        except Forbidden as denial:
            return Prepared(raw, case, (), denial)
    return Prepared(raw, case, tuple(tries), None)
