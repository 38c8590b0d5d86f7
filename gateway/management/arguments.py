"""How a command reads what it is given."""

import datetime
from argparse import ArgumentTypeError


def instant(text: str) -> datetime.datetime:
    """Read an ISO date or instant; without an offset it is UTC."""
    try:
        value = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not an ISO date or instant") from None
    return value if value.tzinfo is not None else value.replace(tzinfo=datetime.UTC)
