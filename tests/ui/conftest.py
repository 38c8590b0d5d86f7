"""A browser whose pages are watched, before real workers. Imports wait for the settings."""
# ruff: noqa: PLC0415

import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.ui.hands import Keyboard, Mouse
from tests.ui.watch import Watch

# The browser's driver keeps an event loop in this thread, which Django takes for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]


@pytest.fixture(scope="session")
def gateway(db):
    from tests.stack import Gateway

    with Gateway() as gateway:
        yield gateway


@pytest.fixture(scope="session")
def browser():
    if not CHROMIUM.exists():
        pytest.fail(f"there is no Chromium at {CHROMIUM}: CHROMIUM names another")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser, gateway):
    context = browser.new_context(
        base_url=gateway.base_url, viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    )
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def watch(context, gateway):
    """What went wrong on the pages; anything fails the test."""
    watch = Watch(context, gateway.base_url)
    yield watch
    assert watch.faults == []


@pytest.fixture
def page(context, watch):
    return context.new_page()


@pytest.fixture(params=["mouse", "keyboard"])
def hands(request, page):
    """The same acts by mouse, and by keyboard alone."""
    return Mouse(page) if request.param == "mouse" else Keyboard(page)


@pytest.fixture
def sign_in(context, gateway):
    """Return how to let somebody in without the form."""
    from django.conf import settings
    from django.test import Client

    def let_in(user):
        client = Client()
        client.force_login(user)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME]
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": gateway.base_url}])

    return let_in


@pytest.fixture
def world(db, unique):
    from tests.gateway.call_records import World

    return World(unique)


@pytest.fixture
def platform(world, sign_in):
    """The owner of the installation, signed in."""
    from tenants.models import User

    user = world.person(is_superuser=True)
    sign_in(user)
    yield user
    User.objects.filter(pk=user.pk).update(is_superuser=False)
