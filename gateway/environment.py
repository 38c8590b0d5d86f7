"""Typed reads from an environment, collecting every fault instead of stopping at the first."""

import ipaddress
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Option = TypeVar("Option", bound=str)

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
SECRET_FILE_BYTES_MAX = 64 * 1024


class Reader:
    """Reads variables; a bad one adds a line to `problems` and reads as its default.

    A blank variable counts as absent: compose files and shells produce those by accident.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def refuse(self, name: str, found: str, expected: str) -> None:
        """Note a fault. `found` must not show a secret."""
        self.problems.append(f"{name}: found {found}; expected {expected}.")

    def text(self, name: str, default: str = "") -> str:
        """Return the trimmed value."""
        return self._environ.get(name, "").strip() or default

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number within both bounds."""
        text = self.text(name, str(default))
        if re.fullmatch(r"[0-9]{1,18}", text) and low <= int(text) <= high:
            return int(text)
        self.refuse(name, repr(text), f"a whole number from {low} to {high}")
        return default

    def seconds(self, name: str, default: float, low: float, high: float) -> float:
        """Return a duration in seconds within both bounds."""
        text = self.text(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if low <= value <= high:
            return value
        self.refuse(name, repr(text), f"seconds from {low:g} to {high:g}")
        return default

    def truth(self, name: str, *, default: bool) -> bool:
        """Return a yes or no."""
        text = self.text(name, "1" if default else "0").lower()
        if text not in TRUE | FALSE:
            self.refuse(name, repr(text), "1 or 0")
        return text in TRUE

    def choice(self, name: str, default: Option, options: Collection[Option]) -> Option:
        """Return one of the options."""
        text = self.text(name, default)
        for option in options:
            if option == text:
                return option
        self.refuse(name, repr(text), "one of " + ", ".join(options))
        return default

    def host(self, name: str, default: str) -> str:
        """Return an address or host name to listen on."""
        text = self.text(name, default)
        if HOST_NAME.fullmatch(text) or _is_address(text):
            return text
        self.refuse(name, repr(text), "an IP address or a host name, without port or scheme")
        return default

    def networks(self, name: str) -> tuple[Network, ...]:
        """Return networks from a comma-separated list of addresses or CIDR ranges."""
        found: list[Network] = []
        for part in filter(None, (part.strip() for part in self.text(name).split(","))):
            try:
                found.append(ipaddress.ip_network(part))
            except ValueError:
                self.refuse(name, repr(part), "addresses or CIDR ranges such as 10.0.0.0/8")
        return tuple(found)

    def secret(self, name: str) -> str | None:
        """Return a secret from the variable or from the file that `<name>_FILE` names."""
        given, path = self.text(name), self.text(f"{name}_FILE")
        if given and path:
            self.refuse(f"{name}_FILE", f"{name} as well", "one of the two")
        if given or not path:
            return given or None
        try:
            with Path(path).open("rb") as file:
                content = file.read(SECRET_FILE_BYTES_MAX).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            self.refuse(f"{name}_FILE", f"{path!r} ({reason})", "a readable file with the secret")
            return None
        if not content:
            self.refuse(f"{name}_FILE", f"{path!r}, which is empty", "a file with the secret")
        return content or None

    def url(self, name: str, schemes: Collection[str], *, required: bool = False) -> str:
        """Return a URL of one of the schemes, from the variable or its file; empty if absent."""
        expected = f"a URL such as {min(schemes, key=len)}://..."
        text = self.secret(name)
        if text is None:
            if required:
                self.refuse(name, "nothing", f"{expected} (`manage.py` starts a server of its own)")
            return ""
        parts = _split(text)
        if parts is not None and parts.scheme in schemes and (parts.netloc or parts.path):
            return text
        shown = "a text without a scheme" if parts is None else f"{parts.scheme}://..."
        self.refuse(name, shown, "a URL that begins with " + _listed(schemes))
        return ""


def _listed(schemes: Collection[str]) -> str:
    return " or ".join(f"{scheme}://" for scheme in sorted(schemes))


def _split(text: str) -> SplitResult | None:
    """Return the parts, or None for what is no URL; a URL's port must be a number."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts if "://" in text else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
