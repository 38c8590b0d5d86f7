"""How the management API says no: as problems, with constraints in words."""

from collections.abc import Mapping
from typing import Any

from rest_framework.response import Response

from audit.rest import problems
from gateway.constraints import in_words


def handle(fault: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the answer to what a view raised; None for a fault of ours."""
    answer = problems.handle(fault, context)
    if answer is not None:
        for each in answer.data["errors"]:
            each["message"] = in_words(each["message"])
    return answer
