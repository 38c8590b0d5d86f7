"""Calls for the console's tests: rows as the data plane writes them, decided by real policies."""

import datetime
import secrets
from functools import cache

import orjson
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from audit.models import Record
from audit.record import call_id, day
from gateway.proxy import facts, record
from policies.models import Policy, PolicyVersion
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.language import parse_document
from policies.pdp.request import DEFAULTS, SLOTS, FindingFact
from tenants.models import App, Membership, Tenant, User

PASSWORD = "correct horse battery"
BASELINE = """\
policy: {name}
default: permit
rules:
  - id: no-secrets-to-nowhere
    when: model.region == "nowhere"
    deny:
      message: "This region may not be used."
"""
HOUSE = """\
# What this house wants.
policy: {name}
default: deny
rules:
  - id: staff
    when: app.name != ""
    permit: true

  - id: no-cards
    when: >-
      pii.count > 2 &&
      "CREDIT_CARD" in pii.kinds
    deny:
      message: "{{pii.count}} pieces of personal data may not leave."
      remedy: "Take the card numbers out."

  - id: mask-mail
    when: '"EMAIL_ADDRESS" in pii.kinds'
    redact: {{kinds: [EMAIL_ADDRESS], method: mask}}

  - id: watch-size
    mode: shadow
    when: call.bytes > 100
    deny: {{message: "This is large."}}

  - id: weekend
    mode: disabled
    when: source.weekday > 5
    deny: {{message: "Not today."}}

  - id: no-tools-back
    phase: answer
    when: size(answer.tool_calls) > 0
    deny: {{message: "An answer may call no tools."}}
"""


class World:
    """A tenant with an app, two policies and people, under names of its own."""

    def __init__(self, unique, zone="Europe/Berlin"):
        self.unique = unique
        self.tenant = Tenant.objects.create(name=unique("acme"), timezone=zone)
        self.app = self.new_app("helpdesk")
        self.layered = [
            self.publish("platform", unique("baseline"), BASELINE),
            self.publish("tenant", unique("house"), HOUSE),
        ]
        self.policy = EffectivePolicy(self.layered)

    def new_app(self, stem):
        return App.objects.create(
            tenant=self.tenant, name=self.unique(stem), models=["gpt-4o-mini", "gpt-4o"]
        )

    def publish(self, layer, name, text, number=1):
        document = parse_document(text.format(name=name))
        policy, _ = Policy.objects.get_or_create(name=name)
        PolicyVersion.objects.create(
            policy=policy,
            number=number,
            source=document.source,
            canonical=document.canonical().decode(),
            hash=document.hash,
            author="test",
        )
        return Layered(layer, name, number, document)

    def person(self, *roles, **fields):
        user = User(email=f"{self.unique('ann')}@example.org", name="Ann", **fields)
        user.password = stretched()
        user.save()
        for role in roles:
            Membership.objects.create(user=user, tenant=self.tenant, role=role)
        return user

    def call(self, at=None, **fields):
        return CallRows(self, at or timezone.now(), fields)


@cache
def stretched():
    """Stretch the one password once: it takes long by design."""
    return make_password(PASSWORD)


class CallRows:
    """The records of one call; each method writes one and returns this."""

    def __init__(self, world, at, fields):
        self.world, self.at, self.rows = world, at, []
        self.id = call_id(int(at.timestamp() * 1000), secrets.token_bytes(10))
        self.model = fields.pop("model", "gpt-4o-mini")
        self.app = fields.pop("app", world.app)
        self.failed = frozenset(fields.pop("failed", ()))
        self.transformations = fields.pop("transformations", None)
        self.slots = list(DEFAULTS)
        self.slots[SLOTS["app.name"]] = self.app.name
        self.slots[SLOTS["model.asked"]] = self.slots[SLOTS["model.routed"]] = self.model
        self.slots[SLOTS["call.bytes"]] = 180
        self.slots[SLOTS["call.endpoint"]] = "chat.completions"
        for name, value in fields.items():
            self.slots[SLOTS[name.replace("__", ".")]] = value

    def with_cards(self):
        """Put into the request what the rule no-cards forbids."""
        self.slots[SLOTS["pii.count"]] = 3
        self.slots[SLOTS["pii.kinds"]] = ("CREDIT_CARD", "EMAIL_ADDRESS")
        self.slots[SLOTS["pii.max_score"]] = 1.0
        self.slots[SLOTS["findings"]] = (
            FindingFact("CREDIT_CARD", "pii", 1.0, "user", 2),
            FindingFact("EMAIL_ADDRESS", "pii", 0.9, "tool", 1),
        )
        return self

    def decided(self):
        policy = self.world.policy
        return {
            "endpoint": "chat.completions",
            "stream": False,
            "facts": facts.recorded(self.slots),
            "decision": record._decision(policy.decide("request", self.slots, self.failed)),
            "policies": policy.labels,
            "policy_hash": policy.hash,
            "detectors": "detectors 1",
            "revision": 7,
            "digest": "a1" * 16,
            "digests": ["b2" * 16, "c3" * 16],
            "key_name": "laptop",
            "app": self.app.name,
            "source": "203.0.113.9",
            "user": "",
            **({"transformations": self.transformations} if self.transformations else {}),
        }

    def refused(self, code="", message="", attempt=0, status=403, rule=None):
        body = self.decided()
        decision = body["decision"]
        body |= {
            "status": status,
            "message": message or decision.get("message", ""),
            "rule": rule,
            "timings_us": {"authenticate": 120, "body": 300, "parse": 420, "decide": 2400},
        }
        return self._write("refused", attempt, code or decision["code"], None, body, 3)

    def admitted(self, attempt=1, provider="openai", held=1200, currency="USD", redacted=False):
        body = self.decided() | {
            "provider": provider,
            "deployment": "3f1c6a4e-0000-4000-8000-000000000001",
            "upstream_model": f"{self.model}-2026",
            "route": self.model,
            "region": "eu",
            "cap": 2048,
            "bound_micros": held,
            "currency": currency,
            "redacted": redacted,
            "timings_us": {"authenticate": 120, "body": 300, "decide": 2400, "reserve": 3100},
        }
        return self._write("admitted", attempt, "", None, body, 4 + attempt)

    def completed(self, attempt=1, code="", cost=310, usage=(1204, 310, 200), **more):
        body = {
            "status": 502 if code else 200,
            "charge": "usage" if usage else "bound",
            "cost_pico": str(cost * 1_000_000),
            "timings_us": {"authenticate": 120, "decide": 2400, "reserve": 3100, "answer": 812_000},
            "finish": "stop",
            "digest": "d4" * 16,
        } | more
        if usage:
            body["usage"] = list(usage)
        return self._write("completed", attempt, code, cost, body, 812 + attempt)

    def answer_denied(self):
        slots = list(self.slots)
        slots[SLOTS["answer.tool_calls"]] = ("delete_everything",)
        decision = self.world.policy.decide("answer", slots)
        return self.completed(
            code=decision.code, decision=record._decision(decision), facts=facts.recorded(slots)
        )

    def lost(self, attempt=1, cost=1200):
        return self._write("lost", attempt, "lost", cost, {"charge": "bound"}, 60_000)

    def _write(self, kind, attempt, code, cost, body, after_ms):
        row = Record.objects.create(
            day=day(self.id),
            call_id=self.id,
            attempt=attempt,
            kind=kind,
            at=self.at + datetime.timedelta(milliseconds=after_ms),
            tenant_id=self.world.tenant.id,
            app_id=self.app.id,
            key_id="K7hTq2mXab",
            model=self.model,
            code=code,
            cost_micros=cost,
            body=orjson.loads(orjson.dumps(body, default=tuple)),
        )
        self.rows.append(row)
        return self
