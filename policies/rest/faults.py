"""What is wrong with a policy's text, as the management API answers it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from audit.rest.problems import Problem
from policies.pdp.problem import PolicyError


@contextmanager
def policy_faults() -> Iterator[None]:
    """Answer what is wrong with a policy's text as faults of the body, each with its place."""
    try:
        yield
    except PolicyError as error:
        faults = [
            {
                "field": f"source:{each.line}:{each.column}" if each.line else "source",
                "message": " - ".join(filter(None, (each.message, each.hint))),
            }
            for each in error.problems
        ]
        raise Problem(HTTPStatus.BAD_REQUEST, "The policy cannot be used.", faults) from None
