"""A provider to test against: HTTP in a process of its own, with books of its own.

    python -m tests.mock_provider --port 0            prints its port, then serves
    python -m tests.mock_provider --port 0 --bare     the same for benchmarks: fast, one answer

`/v1/chat/completions`, `/v1/responses`, `/v1/embeddings`, `/v1/models` and others are those of
OpenAI, `/v1/messages` and what is below it those of Anthropic; the clouds have theirs too
(`tests/mock_clouds.py`). A request behaves as its model's name says (`mock-status-429`,
`mock-usage-absent`, `mock-pace-20`: see `named` in `tests/mock_dialect.py`) or as POST `/_behave`
has set for its model or for "*". GET `/_books` tells every request and what was billed for it,
whatever anybody else believes; DELETE forgets all.
"""

import argparse
import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import uvloop
from aiohttp import web

from tests.mock_bare import Bare, Connection
from tests.mock_clouds import clouds

ROOT = Path(__file__).parents[1]
PATIENCE_S = 10.0


class MockProvider:
    """A running mock provider, as its tests see it."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.origin}/v1"

    def books(self) -> list[dict[str, Any]]:
        """Return every request: path, request_id, headers, bytes, body, model, stream, status,
        input and output (tokens billed), finished (the whole answer was sent), cut_off (the
        client hung up before)."""
        found: list[dict[str, Any]] = self._call("GET", "/_books").json()["requests"]
        return found

    def totals(self) -> dict[str, int]:
        """Return how many requests there were, and the tokens billed: requests, input, output."""
        found: dict[str, int] = self._call("GET", "/_books").json()["totals"]
        return found

    def behave(self, model: str = "*", **behaviour: Any) -> None:
        """Set how requests for a model are answered from now on; see `Behaviour`."""
        self._call("POST", "/_behave", json={"model": model, **behaviour})

    def reset(self) -> None:
        """Forget books and behaviours."""
        self._call("DELETE", "/_books")

    def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer = httpx.request(method, self.origin + path, timeout=PATIENCE_S, **more)
        answer.raise_for_status()
        return answer


@contextlib.contextmanager
def start_mock_provider(*arguments: str) -> Iterator[MockProvider]:
    """Run a mock provider in its own process for as long as the context lasts."""
    command = [sys.executable, "-m", "tests.mock_provider", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "the mock provider did not start"
            yield MockProvider(int(line))
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


async def serve(host: str, port: int) -> None:
    """Serve everything until the process ends."""
    runner = web.AppRunner(clouds(), handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024).start()
    announce(runner.addresses[0][1])
    await asyncio.Event().wait()


async def serve_bare(host: str, port: int, bare: Bare) -> None:
    """Serve the one prepared answer until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(bare), host, port, backlog=1024)
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def announce(port: int) -> None:
    """Tell who started us where we are."""
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--bare", action="store_true", help="one prepared answer, as fast as it goes"
    )
    parser.add_argument("--latency-ms", type=float, default=0, help="bare: before each answer")
    parser.add_argument("--chunks", type=int, default=16, help="bare: words in an answer")
    parser.add_argument("--pace-ms", type=float, default=0, help="bare: between events of a stream")
    parser.add_argument("--keep-ids", action="store_true", help="bare: keep every x-request-id")
    given = parser.parse_args()
    if given.bare:
        bare = Bare(given.latency_ms / 1000, given.chunks, given.pace_ms / 1000, given.keep_ids)
        serving = serve_bare(given.host, given.port, bare)
    else:
        serving = serve(given.host, given.port)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serving)


if __name__ == "__main__":
    main()
