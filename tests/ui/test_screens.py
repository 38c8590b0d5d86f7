"""Every screen in both themes: no violation of WCAG 2.2 AA, nothing wider than the window."""
# ruff: noqa: PLC0415

from pathlib import Path

import pytest

AXE = Path(__file__).parents[2] / "gateway/static_src/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (tags) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags } });
  return found.violations.map((each) => `${each.id}: ${each.nodes[0].html.slice(0, 160)}`);
}"""
SETTLED = """() => new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(() => done()));
})"""
WIDTH = """() => new Promise((done) => {
  const measure = () => done(document.documentElement.scrollWidth);
  requestAnimationFrame(() => requestAnimationFrame(measure));
})"""


@pytest.fixture(scope="session")
def axe():
    if not AXE.exists():
        pytest.fail("axe-core is not installed: make test-ui does it, with npm")
    return AXE.read_text()


def violations(page, axe):
    """Return what is wrong with a page, in light and in dark."""
    page.evaluate(axe)  # the browser's own door: the page's policy does not concern it
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(SETTLED)
        found += [f"{page.url} {scheme} {each}" for each in page.evaluate(RUN, RULES)]
    return found


def too_wide(page):
    found = []
    for width in (360, 1920, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate(WIDTH)
        found += [f"{page.url} is {wide} wide at {width}"] if wide > width else []
    return found


@pytest.mark.usefixtures("platform")
def test_every_screen_in_light_and_dark(page, watch, world, axe):
    from tests.gateway.test_console import every_page, every_screen

    watch.expect(400, 404, 422)
    found = []
    for path in [*every_screen(world), *every_page(world), "/system", "/nothing-here"]:
        page.goto(path)
        watch.look(page)
        found += violations(page, axe) + too_wide(page)
    assert found == [], "\n".join(found)


@pytest.mark.usefixtures("platform")
def test_screens_with_figures_on_them(page, watch, world, axe):
    from audit.models import Export
    from gateway.jobs.run import run
    from tests.gateway.test_console import every_screen
    from tests.gateway.views.insight import used

    used(world)
    every_screen(world)
    export = Export.objects.get(tenant_id=world.tenant.id)
    assert run(export.job_id, "tests")
    found = []
    named = f"tenant={world.tenant.name}"
    for path in (
        f"/overview?{named}",
        f"/usage?{named}&by=model",
        f"/usage?{named}&model=none",
        f"/exports/{export.pk}",
        f"/exports?{named}",
        "/exports/new?kinds=events&actor=ann",
        f"/jobs?{named}",
    ):
        page.goto(path)
        watch.look(page)
        found += violations(page, axe) + too_wide(page)
    assert found == [], "\n".join(found)


@pytest.mark.usefixtures("platform")
def test_what_is_wrong_with_a_text_stands_line_by_line(page, watch, world, axe):
    watch.expect(422)
    page.goto(f"/tenants/{world.tenant.id}/detectors")
    page.get_by_label("Detectors").fill("- kind: CODE\n  words: [x]\n  socre: 1\n  pattern: x\n")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").wait_for()
    told = [page.locator(".field .error > span"), page.get_by_role("alert").locator("p")]
    assert [each.count() for each in told] == [2, 2]
    watch.look(page)
    found = violations(page, axe) + too_wide(page)
    assert found == [], "\n".join(found)


@pytest.mark.usefixtures("platform")
def test_the_page_of_a_secret_and_that_it_was_shown(page, watch, world, axe):
    page.goto(f"/keys/new?app={world.app.id}")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Issue the key").click()
    page.get_by_text("Copy the secret now.").wait_for()
    assert page.locator("#secret").text_content().strip().startswith("gth_")
    watch.look(page)
    found = violations(page, axe) + too_wide(page)
    watch.expect(409)
    page.reload()
    page.get_by_text("The secret was already shown").wait_for()
    watch.look(page)
    found += violations(page, axe) + too_wide(page)
    assert found == [], "\n".join(found)


@pytest.mark.usefixtures("platform")
def test_what_opens_over_a_page(page, axe):
    page.goto("/apps")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Go to a page or a thing")
    palette.wait_for()
    found = violations(page, axe)
    page.keyboard.type("budg")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent").split() == ["Budgets", "Control"]
    page.keyboard.press("Escape")
    assert not palette.is_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("budg")
    page.keyboard.press("Enter")
    page.wait_for_url("**/budgets")
    page.locator("summary", has_text="Account of").click()
    found += violations(page, axe)
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.set_viewport_size({"width": 360, "height": 800})
    page.get_by_role("button", name="Navigation").click()
    found += violations(page, axe)
    page.keyboard.press("Escape")
    assert not page.locator("#side").is_visible()
    assert found == [], "\n".join(found)


@pytest.mark.usefixtures("platform")
def test_the_palette_finds_things_too(page, axe, world):
    page.goto("/apps")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Go to a page or a thing")
    page.keyboard.type(world.app.name)
    thing = palette.get_by_role("link", name=world.app.name)
    thing.wait_for()
    found = violations(page, axe)
    page.keyboard.press("ArrowDown")
    assert world.app.name in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Control+a")
    page.keyboard.type("nothing is called so")
    page.get_by_text("Nothing of that name.").wait_for()
    page.keyboard.press("Control+a")
    page.keyboard.type(world.app.name)
    thing.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/apps/{world.app.id}")
    assert found == [], "\n".join(found)


@pytest.mark.usefixtures("platform")
def test_a_theme_stays_without_a_flash(page):
    page.emulate_media(color_scheme="light")
    page.goto("/apps")
    page.locator("summary", has_text="Account of").click()
    page.get_by_role("button", name="Dark theme").click()
    page.wait_for_url("**/apps")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(16, 20, 19)"


def test_the_gate_and_the_gallery(page, axe, gateway):
    from django.conf import settings
    from django.test import Client, override_settings

    with override_settings(ROOT_URLCONF="tests.ui.gallery"):
        html = Client().get("/__ui__/").content.decode()
    assert "<c-" not in html
    policy = Client().get("/sign-in")["Content-Security-Policy"]
    headers = {"content-type": "text/html", "content-security-policy": policy}
    page.route("**/__ui__/", lambda route: route.fulfill(body=html, headers=headers))
    found = []
    for path in ("/sign-in", "/__ui__/"):
        page.goto(path)
        found += violations(page, axe) + too_wide(page)
    assert found == [], "\n".join(found)
    assert settings.DEBUG is False
