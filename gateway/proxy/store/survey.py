"""What a Redis server says of itself, for an operator: asked once, never on the path of a call."""

from collections.abc import Mapping

import redis

TIMEOUT_S = 2.0


class SurveyError(Exception):
    """Redis cannot be asked; the message names the kind of failure, never the address."""


def survey(redis_url: str) -> Mapping[str, str]:
    """Return the server's INFO as texts by name; raise SurveyError where it does not answer."""
    client = redis.Redis.from_url(
        redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    )
    try:
        found = client.info("everything")
    except redis.RedisError as error:
        raise SurveyError(f"no answer: {type(error).__name__}") from None
    finally:
        client.close()
    return {str(name): str(value) for name, value in found.items()}
