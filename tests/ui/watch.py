"""Notes whatever a page must not do: errors, foreign requests, refusals, uncompiled templates."""

import re

VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
});
"""
REFUSED = "Failed to load resource"
UNCOMPILED = re.compile(r"<c-|\{%|\{\{")


class Watch:
    """`expect` names statuses of refusals that a test asks for."""

    def __init__(self, context, base_url):
        self.faults = []
        self.expected = set()
        self.bodies = []
        self._base_url = base_url
        context.add_init_script(VIOLATIONS)
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"page error: {error.error}"))

    def expect(self, *statuses):
        self.expected |= set(statuses)

    def _request(self, request):
        if not request.url.startswith((self._base_url, "data:")):
            self.faults.append(f"off origin: {request.url}")

    def _response(self, response):
        if response.status >= 400 and response.status not in self.expected:
            self.faults.append(f"{response.status} {response.request.method} {response.url}")

    def _console(self, message):
        if message.type == "error" and not message.text.startswith(REFUSED):
            self.faults.append(f"console: {message.text}")

    def look(self, page):
        """Note what is left uncompiled on a page."""
        if UNCOMPILED.search(page.content()):
            self.faults.append(f"uncompiled: {page.url}")
