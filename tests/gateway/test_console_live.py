"""The console of real workers: what the data plane wrote a moment ago is read and explained."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.db import connection

from gateway.pool import POOL
from gateway.proxy.store import roster
from tenants.models import Membership, User
from tests import estate
from tests.gateway.call_records import PASSWORD, stretched
from tests.stack import Gateway, eventually

POLICY = """\
policy: {name}
default: permit
rules:
  - id: no-cards
    when: '"CREDIT_CARD" in pii.kinds'
    deny: {message: "{pii.count} card may not leave.", remedy: "Take it out."}
  - id: mask-mail
    when: '"EMAIL_ADDRESS" in pii.kinds'
    redact: {kinds: [EMAIL_ADDRESS], method: mask}
  - id: no-mail-back
    phase: answer
    when: '"EMAIL_ADDRESS" in answer.pii.kinds'
    redact: {kinds: [EMAIL_ADDRESS], method: drop}
"""


@pytest.fixture(scope="module")
def house(db):
    return estate.estate(
        estate.route((estate.simulated(), "simulated")),
        policy=POLICY,
        budgets=[{"limit_micros": 50_000_000}],
        limits=[{"kind": "requests", "amount": 3, "per": "day"}],
    )


@pytest.fixture(scope="module")
def gateway(house):
    with Gateway(workers=1) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def browser(gateway, house):
    """An auditor of the house, signed in through the form."""
    user = User.objects.create(email=f"{house.tenant.name}@example.org", password=stretched())
    Membership.objects.create(user=user, tenant=house.tenant, role="auditor")
    with httpx.Client(base_url=gateway.base_url, follow_redirects=True, timeout=30) as browser:
        form = browser.get("/sign-in").text
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', form)[1]
        given = {"email": user.email, "password": PASSWORD, "csrfmiddlewaretoken": token}
        answer = browser.post("/sign-in", data=given, headers={"origin": gateway.base_url})
        assert (answer.status_code, answer.url.path) == (200, "/overview")
        yield browser


@pytest.fixture(scope="module")
def answers(gateway, house):
    """A call that is permitted, one that is denied, one that is streamed, one too many."""
    chat = gateway.chat
    return {
        "permitted": chat(house.secret, house.model, "Mail ann@example.org at once."),
        "denied": chat(house.secret, house.model, "Pay with 4111 1111 1111 1111."),
        "streamed": chat(house.secret, house.model, "Hello", stream=True),
        "third": chat(house.secret, house.model, "Hello"),
        "limited": chat(house.secret, house.model, "Hello"),
    }


def page_of(browser, answer):
    """Return what the page of an answer's decision says, once its end is durable."""
    path = f"/calls/{answer.headers['x-gatehouse-decision-id']}"

    def ended():
        page = browser.get(path)
        return page if page.status_code == 200 and "in flight" not in page.text else None

    plain = re.sub(r"<[^>]+>", " ", eventually(ended).text)
    return re.sub(r"\s+", " ", plain)


EXPECTED = {
    "permitted": [
        "Permitted by the rule mask-mail",
        "redacted before it was sent",
        "On the answer",
    ],
    "denied": [
        "by the rule no-cards",
        "Take it out.",
        "CREDIT_CARD pii request user 1",
        "None: nothing left",
    ],
    "streamed": ["Permitted: no rule denies it, and answered", "chat.completions, streamed"],
    "limited": [
        "The policy permits it, but it was refused by limit-0",
        "Limits and budget stopped",
    ],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_call_is_explained_as_it_was_decided(browser, answers, name):
    told = page_of(browser, answers[name])
    for part in EXPECTED[name]:
        assert part in told
    assert "cannot be judged again" not in told
    assert "another than the recorded one" not in told
    assert "comes out if these detectors failed" not in told


def test_the_list_shows_them_and_what_they_cost(browser, answers):
    page_of(browser, answers["third"])
    listed = browser.get("/calls").text
    for answer in answers.values():
        assert f'href="/calls/{answer.headers["x-gatehouse-decision-id"]}"' in listed
    cost = int(answers["third"].headers["x-gatehouse-cost-micros"])
    assert f"USD 0.{cost:06d}".rstrip("0") in listed
    assert listed.count('class="outcome denied"') == 2


def test_files_and_pages_come_from_one_server_without_a_warning(browser, gateway):
    style = browser.get("/static/dist/console.css")
    assert (style.status_code, style.headers["content-type"][:8]) == (200, "text/css")
    assert browser.get("/nothing").status_code == 404
    assert browser.get("/v1/nothing").json()["error"]["code"] == "not_found"
    assert "Warning" not in gateway.output()
    assert not [line for line in gateway.lines() if line["level"] == "error"]


def test_the_web_worker_is_on_the_roster(gateway):
    def pids():
        found = roster.roster(gateway.environ["REDIS_URL"], time.time())
        return {each.seat.pid for each in found if each.seat.kind == "web" and not each.is_late}

    assert eventually(lambda: gateway.workers[0].pid in pids())


def kept():
    """Return the processes of PostgreSQL that serve the consoles of this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'gatehouse-console' AND datname = current_database()"
        )
        return {pid for (pid,) in cursor.fetchall()}


def test_pages_share_connections_to_the_database(browser):
    assert browser.get("/overview").status_code == 200
    first = kept()
    assert first
    for _ in range(5):
        assert browser.get("/overview").status_code == 200
    assert kept() == first


def test_a_connection_that_was_lost_between_two_pages_is_replaced(browser):
    assert browser.get("/overview").status_code == 200
    lost = kept()
    with connection.cursor() as cursor:
        for pid in lost:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    eventually(lambda: not kept() & lost)
    assert browser.get("/overview").status_code == 200
    assert kept()


def test_more_pages_at_once_than_there_are_connections_wait_for_one(browser):
    with ThreadPoolExecutor(3 * POOL["max_size"]) as pool:
        answers = list(pool.map(browser.get, ["/overview"] * 3 * POOL["max_size"]))
    assert {answer.status_code for answer in answers} == {200}
    assert 0 < len(kept()) <= POOL["max_size"]
