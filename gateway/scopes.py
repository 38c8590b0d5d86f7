"""The scopes of OAuth2 tokens: one to read and one to write each noun. Pure.

A scope bounds what a token may be used for; what its bearer may do comes from their roles.
"""

from collections.abc import Mapping
from types import MappingProxyType

_READ_AND_WRITTEN = {
    "apps": "the apps of tenants",
    "backtests": "what policies would have changed for recorded calls",
    "budgets": "budgets",
    "drafts": "texts of policies that are being worked on",
    "exemptions": "exemptions from rules",
    "calls": "the records of calls, and the marks on them",
    "guards": "the guards of tenants, and their secrets, which nobody can read",
    "exports": "exports of evidence",
    "jobs": "the work that outlives a request",
    "keys": "virtual keys, without their secrets",
    "limits": "rate limits",
    "members": "who has which role",
    "oauth-applications": "the applications that may ask for tokens",
    "people": "who may sign in, and what they may do",
    "policies": "policies, their versions and where they hold",
    "providers": "providers and their credentials, which nobody can read",
    "review-rules": "where a text takes a second person",
    "reviews": "texts before a second person",
    "rollouts": "candidate versions beside active ones, and what they change",
    "routes": "public model names, their deployments and prices",
    "schedules": "versions that come into force at an instant",
    "services": "other upstreams beside the models, and their credentials, which nobody can read",
    "tenants": "tenants",
}
_READ_ONLY = {
    "events": "the events of changes",
    "usage": "what was used, and what it cost",
}

SCOPES: Mapping[str, str] = MappingProxyType(
    {f"{noun}:read": f"Read {what}" for noun, what in (_READ_AND_WRITTEN | _READ_ONLY).items()}
    | {f"{noun}:write": f"Change {what}" for noun, what in _READ_AND_WRITTEN.items()}
)
"""Every scope, and what it allows in words for the page on which a person consents."""
