"""What somebody did, in words: what an audit event says to a reader. Pure."""

DONE = {
    "cache.purge": "made the answers kept until then be given no more",
    "call.explain": "read why the call was decided so",
    "export.download": "read a file of the export",
    "export.expire": "deleted the files, whose time was over",
    "notice.open": "noticed that a rule behaves otherwise than it did",
    "oauth_consent.give": "allowed it to act for them",
    "oauth_consent.refuse": "did not allow it to act for them",
    "oauth_token.issue": "was issued a token",
    "oauth_token.reuse": "presented a refresh token twice: all of its family ended",
    "oauth_token.revoke": "ended a token",
    "owner.create": "became the first owner, by the set-up link",
    "session.close": "signed out",
    "session.open": "signed in",
    "session.refuse": "failed to sign in",
    "policy_emergency.expire": "brought back what was before an emergency, whose hours were over,",
    "policy_emergency.publish": "published in an emergency, without a review,",
    "policy_detach.request": "asked for its detachment",
    "policy_detach.withdraw": "kept it attached",
    "schedule.perform": "brought into force as scheduled",
    "user.remove": "ended the access",
}
"""Actions that their verb alone does not tell."""

PAST = {
    "activate": "brought into force",
    "approve": "approved",
    "attach": "attached",
    "cancel": "cancelled",
    "create": "created",
    "detach": "detached",
    "discard": "gave up",
    "download": "gave out an address of",
    "expire": "deleted the files of",
    "freeze": "froze",
    "grant": "granted",
    "import": "took in",
    "issue": "issued",
    "promote": "brought into force the candidate of",
    "publish": "published",
    "refresh": "refreshed",
    "reject": "rejected",
    "remove": "removed",
    "request": "asked for",
    "resume": "resumed",
    "retire": "retired",
    "revoke": "revoked",
    "rollback": "brought back into force",
    "rotate": "renewed the secret of",
    "set": "set",
    "start": "started",
    "stop": "stopped",
    "suspend": "suspended",
    "test": "tested",
    "unset": "ended",
    "update": "changed",
    "withdraw": "withdrew",
}


def did(action: str) -> str:
    """Return what was done, as it stands before its object; an unknown action as it is written."""
    verb = action.rpartition(".")[2]
    return DONE.get(action) or PAST.get(verb) or action


def sentence(actor: str, action: str, kind: str, name: str) -> str:
    """Return who did what to what."""
    what = f"{kind.replace('_', ' ')} {name}"
    if action in DONE:
        return f"{actor} {DONE[action]} ({what})."
    return f"{actor} {did(action)} the {what}."
