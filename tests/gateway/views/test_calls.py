"""The list of calls, and one call explained."""

import datetime
import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from audit.selectors import PAGE
from gateway.views import calls
from tenants.models import Membership, User
from tests.gateway.call_records import HOUSE, World
from tests.gateway.views.reading import body, links, listed, signed_in, text

pytestmark = pytest.mark.usefixtures("db")

UNUSED = "0d6b2f4e-5a0c-4b8e-9d1f-3c7a5e9b1d2f"
"""An id of no call; fixed, because every test process must collect the same names."""


SECOND = datetime.timedelta(seconds=1)


def test_a_call_is_listed_with_its_figures(world, client):
    at = datetime.datetime.now(datetime.UTC).replace(hour=1, minute=2, second=3, microsecond=0)
    call = world.call(at).admitted().completed(usage=(12_045, 310, 0), cost=310)
    answer = client.get("/calls")
    assert listed(answer) == [call.id]
    told = text(answer)
    for part in (
        world.app.name,
        "gpt-4o-mini",
        "permitted",
        "USD 0.00031",
        "12,045 → 310",
        "813 ms",
    ):
        assert part in told
    berlin = at.astimezone(calls.ZoneInfo("Europe/Berlin"))
    assert f"{berlin:%Y-%m-%d %H:%M:%S} {berlin:%Z}" in told
    assert f'title="{at:%Y-%m-%d %H:%M:%S} UTC"' in body(answer)


def test_every_outcome_has_its_icon_and_word(world, client):
    now = timezone.now()
    world.call(now).admitted().completed()
    world.call(now - SECOND).refused("rate_limit_exceeded", "Full.", status=429)
    world.call(now - 2 * SECOND).admitted().completed(1, "upstream_error", 0, None)
    world.call(now - 3 * SECOND).admitted().lost()
    world.call(now - 4 * SECOND).admitted()
    answer = client.get("/calls")
    words = re.findall(
        r'class="outcome (\w+)"><svg.+?</svg>\s*([\w ]+?)\s*</span>', body(answer), re.DOTALL
    )
    assert words == [
        ("permitted", "permitted"),
        ("denied", "denied"),
        ("failed", "failed"),
        ("lost", "lost"),
        ("in_flight", "in flight"),
    ]
    assert "USD 0.0012 held" in text(answer)
    assert 'title="too many requests"' in body(answer)


def test_pages_follow_one_another_and_keep_the_filters(world, client):
    now = timezone.now()
    made = [world.call(now - n * SECOND).admitted().id for n in range(PAGE + 2)]
    world.call(now - 0.5 * SECOND, model="gpt-4o").admitted()
    first = client.get("/calls?model=gpt-4o-mini")
    assert listed(first) == made[:PAGE]
    (older,) = [link for link in links(first) if "before=" in link]
    assert "model=gpt-4o-mini" in older
    second = client.get(older)
    assert listed(second) == made[PAGE:]
    assert "No older calls" in text(second)
    assert "/calls?model=gpt-4o-mini" in links(second)
    last = client.get(older.replace("before=", "before=1."))
    assert last.status_code == 400


def test_behind_the_last_call_there_is_a_way_back(world, client):
    call = world.call().admitted()
    answer = client.get(f"/calls?before=1000.{call.id}")
    assert "Back to the newest" in text(answer)


@pytest.mark.parametrize("before", ["x", "1", "1.x", ".", "9" * 40 + "." + UNUSED])
def test_a_position_that_is_none_is_a_bad_request(client, before):
    answer = client.get("/calls", {"before": before})
    assert answer.status_code == 400
    assert "cannot be read" in text(answer)


def test_filters_are_in_the_address_and_in_the_form(world, client):
    now = timezone.now()
    batch = world.new_app("batch")
    wanted = world.call(now, app=batch, model="gpt-4o").refused("policy_denied", "No.")
    world.call(now - SECOND, app=batch, model="gpt-4o").admitted().completed()
    world.call(now - 2 * SECOND, model="gpt-4o").refused("policy_denied", "No.")
    query = {"tenant": world.tenant.name, "app": batch.name, "model": "gpt-4o", "outcome": "denied"}
    answer = client.get("/calls", query)
    assert listed(answer) == [wanted.id]
    assert f'<option value="{batch.name}" selected>' in body(answer)
    assert '<option value="denied" selected>' in body(answer)
    assert "Clear" in text(answer)


def test_marks_are_filters_too(world, client):
    now = timezone.now()
    cards = world.call(now).with_cards().refused()
    mail = world.call(now - SECOND).with_cards().admitted(redacted=True).completed()
    rule = client.get("/calls", {"rule": f"{world.layered[1].name} / no-cards"})
    assert listed(rule) == [cards.id]
    assert "no-cards" in body(rule)
    assert listed(client.get("/calls", {"redaction": "EMAIL_ADDRESS"})) == [mail.id]
    nothing = client.get("/calls", {"rule": "rpm", "redaction": "EMAIL_ADDRESS"})
    assert "No call matches" in text(nothing)


def test_times_are_read_in_the_tenants_zone(world, client):
    zone = calls.ZoneInfo("Europe/Berlin")
    day = timezone.now().astimezone(zone).replace(hour=0, minute=30, second=0, microsecond=0)
    call = world.call(day).admitted()
    around = {"from": f"{day:%Y-%m-%dT00:29}", "to": f"{day:%Y-%m-%dT00:31}"}
    assert listed(client.get("/calls", around)) == [call.id]
    assert "From Europe/Berlin" in text(client.get("/calls"))
    assert listed(client.get("/calls", {"from": f"{day:%Y-%m-%dT00:31}"})) == []
    assert listed(client.get("/calls", {"from": f"{day:%Y-%m-%d}"})) == [call.id]


def test_who_sees_several_tenants_reads_times_in_each_ones_zone(unique, world):
    other = World(unique, "Asia/Tokyo")
    user = world.person("auditor")
    Membership.objects.create(user=user, tenant=other.tenant, role="owner")
    mine, theirs = world.call().admitted(), other.call(timezone.now() - SECOND).admitted()
    answer = signed_in(user).get("/calls")
    assert listed(answer) == [mine.id, theirs.id]
    assert "From UTC" in text(answer)
    assert "JST" in text(answer)
    assert other.tenant.name in text(answer)


@pytest.mark.parametrize(
    "query",
    [{"from": "yesterday"}, {"outcome": "splendid"}, {"to": "2026-13-01T00:00"}],
)
def test_filters_that_cannot_be_read_say_so(client, query):
    answer = client.get("/calls", query)
    assert answer.status_code == 422
    assert "cannot be read" in text(answer)
    assert 'class="error"' in body(answer)


@pytest.mark.parametrize("outcome", ["", "permitted", "denied", "failed", "lost", "in_flight"])
@pytest.mark.parametrize("more", [{}, {"model": "gpt"}, {"rule": "budget"}])
def test_however_it_is_narrowed_a_list_takes_few_queries(world, client, outcome, more):
    world.call().admitted().completed()
    with CaptureQueriesContext(connection) as queries:
        client.get("/calls", {"outcome": outcome, **more})
    assert len(queries) <= 12, "\n".join(query["sql"][:150] for query in queries)


def test_nothing_found_is_told_from_nothing_there(world, client):
    empty = client.get("/calls")
    assert "No calls yet" in text(empty)
    assert "curl" in text(empty)
    world.call().admitted()
    nothing = client.get("/calls?outcome=lost")
    assert "No call matches" in text(nothing)
    assert "Clear the filters" in text(nothing)
    assert listed(client.get("/calls", {"app": "no-such-app"})) == []


def test_a_search_that_takes_too_long_says_what_helps(client, monkeypatch):
    def too_broad(*_):
        raise calls.TooBroadError

    monkeypatch.setattr(calls.selectors, "calls_visible", too_broad)
    answer = client.get("/calls?outcome=lost")
    assert answer.status_code == 200
    assert "a shorter time" in text(answer)


@pytest.mark.parametrize("written", ["{0}", " {0} ", "{1}"])
def test_a_decision_id_leads_to_its_call(world, client, written):
    call = world.call().admitted()
    answer = client.get("/calls", {"id": written.format(call.id, call.id.hex)})
    assert (answer.status_code, answer["Location"]) == (302, f"/calls/{call.id}")


@pytest.mark.parametrize("wanted", ["nonsense", UNUSED, "f" * 32])
def test_a_decision_id_that_leads_nowhere_says_so(client, wanted):
    answer = client.get("/calls", {"id": wanted})
    assert answer.status_code == 404
    assert "no call with this decision id" in text(answer)
    assert f'value="{wanted}"' in body(answer)


def test_s2_a_strangers_calls_are_not_there(unique, world, client):
    other = World(unique)
    foreign = other.call().admitted().completed()
    assert listed(client.get("/calls")) == []
    assert client.get("/calls", {"tenant": other.tenant.name}).status_code == 404
    assert client.get(f"/calls/{foreign.id}").status_code == 404
    assert client.get("/calls", {"id": str(foreign.id)}).status_code == 404
    assert listed(client.get("/calls", {"app": other.app.name})) == []
    assert other.tenant.name not in body(client.get("/calls"))
    same = client.get(f"/calls/{foreign.id}"), client.get(f"/calls/{uuid.UUID(int=7 << 76)}")
    assert len({re.sub(r"<code>\w+</code>", "", body(answer)) for answer in same}) == 1


def test_a_role_elsewhere_opens_nothing_here(unique, world):
    """Somebody who audits one tenant, and manages keys in another, sees the calls of the first."""
    other = World(unique)
    user = world.person("auditor")
    Membership.objects.create(user=user, tenant=other.tenant, role="key_manager")
    mine, foreign = world.call().admitted(), other.call().admitted()
    client = signed_in(user)
    assert listed(client.get("/calls")) == [mine.id]
    assert client.get(f"/calls/{foreign.id}").status_code == 404
    assert client.get("/calls", {"tenant": other.tenant.name}).status_code == 404


def test_the_owner_of_the_installation_sees_all_tenants_removed_ones_too(unique, world):
    other = World(unique)
    other.tenant.state = "removed"
    other.tenant.save()
    calls_made = {world.call().admitted().id, other.call().admitted().id}
    client = signed_in(world.person(is_superuser=True))
    assert calls_made <= set(listed(client.get("/calls")))
    assert client.get("/calls", {"tenant": other.tenant.name}).status_code == 200
    User.objects.filter(is_superuser=True).update(is_superuser=False)


def test_a_denial_names_policy_version_rule_line_facts_and_remedy(world, client):
    call = world.call().with_cards().refused()
    answer = client.get(f"/calls/{call.id}")
    told = text(answer)
    label = world.policy.labels[1]
    assert f"Denied (explicitly) by the rule no-cards of {label}" in told
    assert "What would make it pass: Take the card numbers out." in told
    assert f"Deciding rule no-cards of {label} , line 9" in told
    assert "&quot;CREDIT_CARD&quot; in pii.kinds" in told
    assert re.search(r"no-cards \S+ tenant 9 enforce matched, decided pii.count 3", told)
    assert re.search(r"weekend \S+ tenant 26 disabled disabled", told)
    assert re.search(r"watch-size \S+ tenant 21 shadow matched call.bytes 180", told)
    assert "no-secrets-to-nowhere" in told
    assert "CREDIT_CARD pii request user 2 1.00" in told
    assert "pii.count 3 How many pieces" in told
    assert world.policy.hash in told
    assert "Bundle revision 7" in told
    assert "None: nothing left the gateway." in told
    rules = [link for link in links(answer) if link.endswith("#L9")]
    assert len(rules) == 1
    assert "no-cards" in text(client.get(rules[0]))
    assert f"/keys?q={call.rows[0].key_id}" in links(answer)
    assert "a1" * 16 in told


def test_a_permitted_call_shows_its_attempts_and_money(world, client):
    call = world.call().admitted(1, "azure", held=5000).completed(1, "upstream_timeout", 5000, None)
    call.admitted(2).completed(2)
    told = text(client.get(f"/calls/{call.id}"))
    assert "Attempt 1 failed upstream_timeout" in told
    assert "USD 0.005 → USD 0.005 (the whole hold)" in told
    assert "Attempt 2 permitted" in told
    assert "USD 0.0012 → USD 0.00031" in told
    assert "1,204 in (200 cached), 310 out" in told
    assert "3f1c6a4e-0000-4000-8000-000000000001" in told
    assert "gpt-4o-mini-2026" in told


def test_what_was_declared_and_done_to_a_request_is_shown(world, client):
    call = world.call().admitted(1)
    assert "before it was judged" not in text(client.get(f"/calls/{call.id}"))
    shaped = world.call(transformations=["app@0123456789abcdef"]).admitted(1)
    told = text(client.get(f"/calls/{shaped.id}"))
    assert "Done to the request before it was judged app@0123456789abcdef" in told


def test_an_answer_that_was_withheld_shows_the_rules_on_answers(world, client):
    call = world.call().admitted().answer_denied()
    told = text(client.get(f"/calls/{call.id}"))
    assert "On the answer" in told
    line = HOUSE.splitlines().index("  - id: no-tools-back") + 1
    assert re.search(rf"no-tools-back \S+ tenant {line} enforce matched, decided", told)
    assert "answer.tool_calls delete_everything" in told


def test_a_call_in_flight_says_that_its_end_is_not_known(world, client):
    call = world.call().admitted()
    told = text(client.get(f"/calls/{call.id}"))
    assert "the answer is awaited" in told
    assert "USD 0.0012 → open" in told
    assert "not known yet" in told


def test_a_policy_that_cannot_be_rebuilt_is_said_and_the_rest_is_shown(world, client):
    world.policy.__dict__["hash"] = "0" * 64
    call = world.call().with_cards().refused()
    told = text(client.get(f"/calls/{call.id}"))
    assert "The rules cannot be judged again." in told
    assert "Denied (explicitly) by the rule no-cards" in told
    assert "pii.count 3" in told


def test_a_recomputed_decision_that_differs_is_said(world, client):
    call = world.call().with_cards()
    decided = call.decided
    call.decided = lambda: decided() | {"facts": {"app.name": "helpdesk"}}
    call.refused()
    assert "is another than the recorded one" in text(client.get(f"/calls/{call.id}"))


def test_what_clients_say_of_themselves_is_shown_as_text(world, client):
    nasty = "<script>alert(1)</script>"
    call = world.call(user__id=nasty, user__present=True)
    answer = client.get(f"/calls/{call.admitted().id}")
    assert nasty not in body(answer)
    assert "&lt;script&gt;" in body(answer)


def test_a_day_that_no_calendar_has_is_no_call(client):
    assert client.get(f"/calls/{uuid.UUID(int=(1 << 128) - 1)}").status_code == 404


def test_reading_an_explanation_is_an_event_once(world, client):
    call = world.call().with_cards().refused()
    for _ in range(2):
        assert client.get(f"/calls/{call.id}").status_code == 200
    assert client.get("/calls").status_code == 200
    (event,) = Event.objects.filter(tenant_id=world.tenant.id, action="call.explain")
    assert (event.object_kind, event.object_id) == ("call", str(call.id))
    assert event.actor.startswith("ann")
    told = text(client.get("/events?action=call."))
    assert "read why the call was decided so" in told
    other = signed_in(world.person("owner"))
    other.get(f"/calls/{call.id}")
    assert Event.objects.filter(action="call.explain", object_id=str(call.id)).count() == 2
