"""Real web workers on one listening socket: `with Gateway(workers=2) as gateway: ...`."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
PATIENCE_S = 30.0
# Tests share the machine: a stall of it is not a Redis that is away, unless a test is about that.
PATIENT = {"GATEHOUSE_REDIS_TIMEOUT_MS": "1000"}


class Gateway:
    """Workers started as production starts them. `environ` overrides settings, such as timeouts."""

    def __init__(self, workers=1, environ=None):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1024)
        self.port = self.listener.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.environ = {**os.environ, **PATIENT, "PORT": str(self.port), **(environ or {})}
        # A file with a name: read through a handle of its own, or the workers' place would move.
        self.log = tempfile.NamedTemporaryFile()  # noqa: SIM115  (closed with the gateway)
        self.workers = [self._start() for _ in range(workers)]

    def _start(self):
        return subprocess.Popen(
            [sys.executable, "-m", "gateway.serve", "--fd", str(self.listener.fileno())],
            cwd=ROOT,
            env=self.environ,
            pass_fds=[self.listener.fileno()],
            stdout=self.log,
            stderr=self.log,
        )

    def __enter__(self):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            checks = {}
            with contextlib.suppress(httpx.HTTPError):
                checks = httpx.get(f"{self.base_url}/readyz", timeout=5).json()["checks"]
            # Credentials under another master key are left behind by tests of just that.
            if checks and all(found["ok"] for name, found in checks.items() if name != "keys"):
                return self
            if time.monotonic() > deadline or all(w.poll() is not None for w in self.workers):
                self.stop()
                raise AssertionError(f"the gateway is not ready: {checks}\n{self.output()[-4000:]}")

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """End every worker; one that was killed is gone already."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self.listener.close()
        self.logged = self.output()
        self.log.close()

    def kill(self, worker=0):
        """SIGKILL a worker, as the kernel does when memory is short."""
        self.workers[worker].kill()
        self.workers[worker].wait()

    def restart(self, worker=0):
        """Start a worker again in place of one that is gone."""
        self.workers[worker] = self._start()
        self.__enter__()

    def output(self):
        """Return everything that the workers logged."""
        if self.log.closed:
            return self.logged
        return Path(self.log.name).read_text(errors="replace")

    def lines(self):
        """Return the log lines that are JSON."""
        return [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]

    def client(self, secret=None, **options):
        """Return an HTTP client with a key."""
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=30, **options)

    def chat(self, secret, model, text="Hello", headers=None, **fields):
        """Make one call and return the answer."""
        with self.client(secret) as client:
            return client.post(
                "/v1/chat/completions",
                json={"model": model, "messages": [{"role": "user", "content": text}], **fields},
                headers=headers,
            )


def eventually(check, patience_s=10.0):
    """Return the first true value of `check`, polling; fail when there is none in time."""
    deadline = time.monotonic() + patience_s
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        select_pause()


def select_pause():
    """Give way for a moment without blocking signals."""
    import select  # noqa: PLC0415

    select.select([], [], [], 0.02)
