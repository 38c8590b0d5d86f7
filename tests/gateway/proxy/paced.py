"""A provider that stops between the parts of a stream until it is let go on."""

import http.server
import threading


class Paced(http.server.ThreadingHTTPServer):
    """`with Paced(*parts) as provider:` sends a part, and the next with each `go.release()`.

    `closed` is set where the other side hung up instead. `asked` is called with each request before
    it is answered, in another thread.
    """

    daemon_threads = True

    def __init__(self, *parts):
        self.parts = parts
        self.asked = lambda: None
        self.go, self.closed = threading.Semaphore(0), threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.go.release(len(self.parts))
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.server.asked()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            for part in self.server.parts:
                self.wfile.write(part)
                while not self.server.go.acquire(timeout=0.05):
                    self.wfile.write(b": still here\n\n")
        except OSError:
            self.server.closed.set()

    def log_message(self, *_):
        """Say nothing."""
