"""Which groups of budgets pay for a call. What a client did not declare is one group together."""

from collections.abc import Sequence

from gateway.bundle import Budget
from gateway.exchange import Call, Head
from gateway.proxy.directory import Principal

NO_USER = "~none"
_LONGEST = 300


def paying(
    budgets: Sequence[Budget], head: Head, call: Call, model: str, principal: Principal
) -> list[tuple[Budget, str]]:
    """Return budgets with the group of each; `model` is the public name of what serves the call.

    The group of a budget without groups is empty.
    """
    return [
        (budget, _group(budget, head, call, model, principal) if budget.group_by else "")
        for budget in budgets
    ]


def _group(budget: Budget, head: Head, call: Call, model: str, principal: Principal) -> str:
    values = {
        "user": principal.row.user or head.user or call.user,
        "app": principal.app.app.name,
        "key": principal.row.public_id,
        "model": model,
        **{f"tag:{name}": value for name, value in head.tags},
    }
    return "|".join(values.get(name) or NO_USER for name in budget.group_by)[:_LONGEST]
