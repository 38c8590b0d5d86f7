"""A provider that gives one prepared answer, whatever it is asked: for answers that are not what
they should be, or hold exactly these bytes."""

import http.server
import threading

import orjson


class Scripted(http.server.ThreadingHTTPServer):
    """`with Scripted(body) as provider:` serves at `provider.base_url`; `bodies` is what it got,
    parsed unless it is a form.

    `asked(headers)` is called with each request before it is answered, in another thread.
    """

    daemon_threads = True

    def __init__(self, body, status=200, headers=None, asked=None):
        self.prepared = status, headers or {}, body
        self.asked = asked or (lambda _: None)
        self.bodies = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        raw = self.rfile.read(int(self.headers["content-length"]))
        is_form = self.headers["content-type"].startswith("multipart/")
        self.server.bodies.append(raw if is_form else orjson.loads(raw))
        self.server.asked(self.headers)
        status, headers, body = self.server.prepared
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


def completion(*messages, finish="stop", **fields):
    """Return a whole answer with a choice for each message."""
    choices = [
        {"index": index, "message": {"role": "assistant", **message}, "finish_reason": finish}
        for index, message in enumerate(messages)
    ]
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    head = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    return orjson.dumps({**head, "choices": choices, "usage": usage, **fields})


def stream(*deltas, choices=1, finish="stop"):
    """Return a stream of deltas, each given as (choice, delta), with usage at its end."""
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def event(choices, **more):
        return b"data: " + orjson.dumps({**head, "choices": choices, **more}) + b"\n\n"

    parts = [
        event([{"index": index, "delta": delta, "finish_reason": None}]) for index, delta in deltas
    ]
    parts += [
        event([{"index": index, "delta": {}, "finish_reason": finish}]) for index in range(choices)
    ]
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    return b"".join([*parts, event([], usage=usage), b"data: [DONE]\n\n"])
