"""What events say of things that are read or begun, where the name of the action does not tell."""

from collections.abc import Mapping
from types import MappingProxyType

from tenants.permissions import ACTIONS

SAID: Mapping[str, str] = MappingProxyType(
    {
        "call.explain": "read why the call was decided so",
        "export.download": "read a file of the export",
        "export.expire": "the files were deleted, their time was over",
        "owner.create": "became the first owner, by the set-up link",
        "session.close": "signed out",
        "session.open": "signed in",
        "session.refuse": "failed to sign in",
    }
)

KNOWN = ACTIONS | frozenset(SAID)
"""The actions that events can have: what somebody may do, and what needs no permission."""
