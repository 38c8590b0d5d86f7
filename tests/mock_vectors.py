"""A small vector database to test against, over real sockets. It writes down all that reaches it.

It keeps points of collections and finds the nearest by dot product; `prepared` makes it answer
otherwise, whatever it is asked.
"""

import http.server
import threading
import time
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass
class Received:
    """One request as it came: the path with its query, undecoded."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Prepared:
    """An answer, so long after the request; `times` 0: for ever."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    after_s: float = 0.0
    cut: bool = False
    times: int = 0


class Vectors(http.server.ThreadingHTTPServer):
    """`with Vectors() as vectors:` serves at `vectors.base_url`."""

    daemon_threads = True

    def __init__(self):
        self.received: list[Received] = []
        self.prepared: Prepared | None = None
        self.points: dict[str, list[dict[str, Any]]] = {}
        super().__init__(("127.0.0.1", 0), _Handler)
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/db"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def reset(self):
        """Forget what came, and answer as usual."""
        self.received, self.prepared = [], None

    def answer(self, asked: Received) -> Prepared:
        """Return what is said to a request."""
        found = self.prepared
        if found is not None:
            if found.times == 1:
                self.prepared = None
            elif found.times:
                found.times -= 1
            return found
        return self._usual(asked)

    def _usual(self, asked: Received) -> Prepared:
        collection = asked.path.partition("?")[0].split("/")[3]
        if asked.method == "PUT":
            self.points.setdefault(collection, []).extend(asked.json["points"])
            return Prepared(201, b'{"status":"ok"}')
        if asked.method == "DELETE":
            self.points.pop(collection, None)
            return Prepared(204, b"")
        if asked.method == "GET":
            count = len(self.points.get(collection, []))
            return Prepared(body=orjson.dumps({"points_count": count}))
        vector = asked.json["vector"]
        scored = [
            {"score": sum(a * b for a, b in zip(vector, one["vector"], strict=True)), **one}
            for one in self.points.get(collection, [])
        ]
        scored.sort(key=lambda one: -one["score"])
        return Prepared(body=orjson.dumps({"result": scored[: asked.json.get("limit", 10)]}))


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Vectors

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Received(self.command, self.path, headers, body)
        self.server.received.append(asked)
        found = self.server.answer(asked)
        if found.after_s:
            time.sleep(found.after_s)
        if found.cut:
            self.close_connection = True
            return
        self.send_response(found.status)
        if found.status != 204:
            self.send_header("content-length", str(len(found.body)))
            self.send_header("content-type", found.content_type)
        for name, value in found.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(found.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815

    def log_message(self, *_):
        """Say nothing."""
