"""What can be wrong with a body. Pure."""


class BadRequest(ValueError):
    """A client's body that no provider should see; `param` names the field, "" the whole body."""

    def __init__(self, message: str, param: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class Unenforceable(BadRequest):
    """A policy's obligation cannot be kept for what the client sent; the message says why."""


class BadAnswer(ValueError):
    """A provider's body or event that cannot be read."""


class TooLarge(ValueError):
    """More bytes than may be held in memory for one event or one answer."""


class TooDeep(ValueError):
    """JSON nested deeper than is walked."""


class BadSetting(ValueError):
    """A base URL or a credential that does not go with a dialect; the message says what would."""
