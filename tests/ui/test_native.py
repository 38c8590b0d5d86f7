"""A program on the person's own machine gets its code through their browser."""
# ruff: noqa: PLC0415

import http.server
import socket
import threading

import pytest


class Listener(http.server.HTTPServer):
    """Listens where a native program would; `asked` is what the browser brings."""

    def __init__(self, host, family):
        self.address_family = family
        self.asked = []
        super().__init__((host, 0), _Handler)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>done</title>")

    def log_message(self, *_):
        """Say nothing."""


@pytest.mark.parametrize(
    ("host", "spelt", "family"),
    [("127.0.0.1", "127.0.0.1", socket.AF_INET), ("::1", "[::1]", socket.AF_INET6)],
)
def test_the_browser_comes_back_to_whatever_port(context, sign_in, world, host, spelt, family):
    from tests.gateway.oauth.person import question
    from tests.management import for_people

    made, _ = for_people(
        world.tenant, f"http://{spelt}/callback", scopes=["apps:read"], is_public=True
    )
    sign_in(world.person("owner"))
    page = context.new_page()
    with Listener(host, family) as listener:
        uri = f"http://{spelt}:{listener.server_address[1]}/callback"
        page.goto(question(made, redirect_uri=uri, scope="apps:read"))
        page.get_by_role("button", name="Allow", exact=True).click()
        page.wait_for_url(f"{uri}?**")
        assert page.title() == "done"
    assert [path for path in listener.asked if "code=" in path and "state=s7" in path]
