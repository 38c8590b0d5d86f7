"""Fields of a client's body, read with their type: what is not of it is a BadRequest. Pure."""

from gateway.exchange import Body
from gateway.providers.fault import BadRequest

_LONGEST = 256


def text(body: Body, name: str, param: str = "") -> str:
    """Return a short string; "" where it is absent or null."""
    value, param = body.get(name), param or name
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise BadRequest(f"{param} must be a string of at most {_LONGEST} characters", param)
    return value


def flag(body: Body, name: str, param: str = "") -> bool:
    """Return a truth value; false where it is absent or null."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"{param or name} must be true or false", param or name)
    return bool(value)


def number(body: Body, name: str) -> float | None:
    """Return a number; None where it is absent or null."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadRequest(f"{name} must be a number", name)
    return float(value)


def count(body: Body, name: str, most: int) -> int | None:
    """Return a whole number from 1 to `most`; None where it is absent or null."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise BadRequest(f"{name} must be a whole number from 1 to {most}", name)
    return value


def whole(body: Body, name: str) -> int | None:
    """Return a whole number; None where it is absent or null."""
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise BadRequest(f"{name} must be a whole number", name)
    return value


def record(value: object, param: str) -> Body:
    """Return an object; an empty one for null."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"{param} must be an object", param)
    return value


def records(value: object, param: str, step: str = "[{}]") -> list[Body]:
    """Return a list of objects; an empty one for null. `step` is how a dialect writes an index."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"{param} must be a list", param)
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            at = param + step.format(index)
            raise BadRequest(f"{at} must be an object", at)
    return value


def name(value: object, param: str) -> str:
    """Return a name that must be there."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        raise BadRequest(f"{param} must be a name of at most {_LONGEST} characters", param)
    return value


def string(value: object, param: str) -> str:
    """Return a string of any length that must be there."""
    if not isinstance(value, str):
        raise BadRequest(f"{param} must be a string", param)
    return value
