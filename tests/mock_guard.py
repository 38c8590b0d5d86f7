"""A guard to test against, over real sockets: it checks who asks, and writes down what it is asked.

It finds each `Bluebird` as a PROJECT_NAME; `prepared` makes it answer otherwise.
"""

import hashlib
import hmac
import http.server
import re
import threading
import time
from dataclasses import dataclass
from typing import Any

import orjson

SECRET = "guard-canary-0123456789"
KIND = "PROJECT_NAME"
WORD = "Bluebird"
PATIENCE_S = 20.0


@dataclass
class Told:
    """One request, whose signature was good."""

    headers: dict[str, str]
    json: Any

    @property
    def texts(self) -> list[str]:
        return [leaf["text"] for leaf in self.json["leaves"]]


@dataclass
class Prepared:
    """An answer; one that `hangs` comes when nobody waits any more."""

    status: int = 200
    body: bytes = b'{"version": 1, "findings": []}'
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    hangs: bool = False


class Guarding(http.server.ThreadingHTTPServer):
    """`with Guarding() as guard:` serves at `guard.url`; it takes what one of `secrets` signs."""

    daemon_threads = True

    def __init__(self, *secrets: str):
        self.secrets = secrets or (SECRET,)
        self.told: list[Told] = []
        self.unsigned = 0
        self.prepared: Prepared | None = None
        self.released = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/inspect"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self.shutdown()
        self.server_close()

    def reset(self):
        """Forget what came, and answer as usual."""
        self.told, self.unsigned, self.prepared = [], 0, None

    def is_ours(self, headers: dict[str, str], body: bytes) -> bool:
        """Check the signature as docs/webhook-guard.md says."""
        at = headers.get("x-gatehouse-timestamp", "")
        if not at.isdecimal() or abs(time.time() - int(at)) > 300:
            return False
        given = headers.get("x-gatehouse-signature", "").split(",")
        return any(
            hmac.compare_digest(f"v1={signature(secret, at, body)}", one)
            for secret in self.secrets
            for one in given
        )


def signature(secret: str, at: str, body: bytes) -> str:
    """Return the signature of a body, in hex."""
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def findings(asked: Any) -> bytes:
    """Return the usual answer."""
    found = [
        {
            "kind": KIND,
            "score": 0.9,
            "leaf": index,
            "start": one.start(),
            "end": one.end(),
        }
        for index, leaf in enumerate(asked["leaves"])
        for one in re.finditer(WORD, leaf["text"])
    ]
    return orjson.dumps({"version": 1, "findings": found})


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body together
    server: Guarding

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not self.server.is_ours(headers, body):
            self.server.unsigned += 1
            self._answer(Prepared(status=401))
            return
        asked = orjson.loads(body)
        self.server.told.append(Told(headers, asked))
        prepared = self.server.prepared or Prepared(body=findings(asked))
        if prepared.hangs:
            self.server.released.wait(PATIENCE_S)
        self._answer(prepared)

    def _answer(self, prepared: Prepared):
        try:
            self.send_response(prepared.status)
            self.send_header("content-type", prepared.content_type)
            self.send_header("content-length", str(len(prepared.body)))
            for name, value in prepared.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(prepared.body)
            self.wfile.flush()
        except ConnectionError:  # nobody waits any more
            self.close_connection = True

    def log_message(self, *_):
        """Say nothing."""
