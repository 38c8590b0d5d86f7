"""Under a hard budget a call is refused unless the most that it can cost is known."""

from gateway.bundle import Budget, Price
from gateway.exchange import UNBOUNDED, Permitted
from gateway.pricing import bound_pico
from gateway.proxy.errors import BadRequest

UNPRICED_INPUT = ("image", "audio", "file", "reference", "other")


def check(permitted: Permitted, price: Price | None, budget: Budget) -> None:
    """Refuse what could cost more than was priced: a bound on its cost must be true."""
    call = permitted.call
    if call.endpoint in UNBOUNDED:
        _check_flat(permitted, price, budget)
    if not (call.unknown_fields or call.priced_fields or call.view.uninspected):
        return
    is_free = call.endpoint in UNBOUNDED and price is not None and not price.request_pico
    for fields, why in (
        (call.unknown_fields, "is not known here, so its cost is not either"),
        (
            () if is_free else call.priced_fields,
            "changes the price by an amount that is not known here",
        ),
    ):
        if fields:
            raise BadRequest(
                "invalid_request",
                f"The field {fields[0]!r} {why}; a hard budget applies.",
                "Leave the field out.",
                rule=budget.name,
                param=fields[0],
            )
    unpriced = [kind for kind in call.view.uninspected if kind in UNPRICED_INPUT]
    if unpriced and call.endpoint not in UNBOUNDED:
        raise BadRequest(
            "model_unpriced",
            f"The cost of {unpriced[0]} input has no upper bound in the price book; "
            "a hard budget applies.",
            "Send text only.",
            rule=budget.name,
        )


def _check_flat(permitted: Permitted, price: Price | None, budget: Budget) -> None:
    """Refuse images and sound but where each request costs the same, whatever is in it."""
    if price is None or bound_pico(1, 1, price) > price.request_pico:
        raise BadRequest(
            "model_unpriced",
            f"What {permitted.call.endpoint.value} costs has no upper bound in the price book; "
            "a hard budget applies.",
            "Ask for a price for each request to be set for this model, or for a soft budget.",
            rule=budget.name,
            param="model",
        )
    if price.request_pico and permitted.call.n > 1:
        raise BadRequest(
            "invalid_request",
            "The price is for a request of one image; a hard budget applies.",
            "Ask for one image at a time.",
            rule=budget.name,
            param="n",
        )
