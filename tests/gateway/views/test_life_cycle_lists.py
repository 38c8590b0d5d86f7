"""The lists of the life cycle: few queries, however many rows, and page after page."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from policies.services.activations import policy_version_freeze
from policies.services.drafts import draft_create
from policies.services.emergencies import policy_emergency_publish
from policies.services.exemptions import exemption_grant
from policies.services.reviews import review_request
from policies.services.rollouts import rollout_start
from policies.services.schedules import schedule_create
from tests.gateway.views.reading import signed_in, text
from tests.management import Api
from tests.policies.lifecycle import LOOSE, OPERATOR, STRICT, House, unique

pytestmark = pytest.mark.usefixtures("db")

QUERIES_MAX = 12
PAGES = ("/exemptions", "/reviews", "/services", "/policies", "/policies?pending=any")


def filled(count):
    """Make a tenant with so many exemptions, and so many policies whose drafts are reviewed."""
    house = House()
    until = timezone.now() + datetime.timedelta(days=1)
    for _ in range(count):
        exemption_grant(
            actor=OPERATOR, tenant=house.tenant, name=unique("exemption"), reason="because",
            rules=[f"{house.policy.name}/no-streams"], expires_at=until,
        )  # fmt: skip
        other = House()
        draft = draft_create(actor=OPERATOR, policy=other.policy, source=other.text(STRICT))
        review_request(actor=OPERATOR, draft=draft)
        other.held.tenant = house.tenant
        other.held.save(update_fields=["tenant"])
    return house


def test_lists_take_few_queries_however_many_rows():
    house = filled(4)
    client = signed_in(house.user("owner"))
    for address in PAGES:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        if address != "/services" or answer.status_code == 200:
            assert answer.status_code == 200, address
        told = "\n".join(query["sql"][:140] for query in queries)
        assert len(queries) <= QUERIES_MAX, f"{address}\n{told}"


def pending_as(client, house, kind):
    """Return what the list says of a house's policy, narrowed to a kind of what is pending."""
    query = {"tenant": house.tenant.name, "pending": kind, "q": house.policy.name}
    return text(client.get("/policies", query))


def test_the_list_of_policies_says_what_is_pending_and_narrows_to_it():
    house = House()
    client = signed_in(house.user("owner"))
    kinds = ("draft", "review", "scheduled", "candidate", "emergency")
    assert house.policy.name in pending_as(client, house, "")
    for kind in ("any", *kinds):
        assert "No policy matches these filters" in pending_as(client, house, kind)
    admin, policy = house.person("admin"), house.policy
    rescued = {"policy": policy, "source": house.text(LOOSE), "reason": "a leak", "hours": 1}
    policy_emergency_publish(actor=admin, **rescued)
    assert "emergency, to review" in pending_as(client, house, "emergency")
    second = policy_version_freeze(actor=admin, policy=policy, source=house.text(STRICT))
    rollout_start(actor=admin, policy=policy, version=second)
    assert "version 3 in shadow" in pending_as(client, house, "candidate")
    at = timezone.now() + datetime.timedelta(hours=1)
    schedule_create(actor=admin, policy=policy, version=second, at=at)
    assert "version 3 at" in pending_as(client, house, "scheduled")
    draft = draft_create(actor=admin, policy=policy, source=house.text(STRICT))
    assert "under review" not in pending_as(client, house, "draft")
    review_request(actor=admin, draft=draft)
    for kind in ("any", *kinds):
        told = pending_as(client, house, kind)
        for part in ("emergency, to review", "under review", "in shadow", "version 3 at", "draft"):
            assert part in told
    assert "cannot be read" in pending_as(client, house, "else")


@pytest.mark.parametrize("what", ["exemptions", "reviews", "drafts"])
def test_the_api_gives_them_page_by_page_in_few_queries(what):
    house = filled(3)
    api = Api(house.user("owner"))
    with CaptureQueriesContext(connection) as queries:
        first = api.get(f"{what}/?limit=2").json()
    assert len(queries) <= QUERIES_MAX
    rows = [row["id"] for row in first["results"]]
    while first["next"]:
        first = api.get(first["next"]).json()
        rows += [row["id"] for row in first["results"]]
    assert len(rows) == len(set(rows)) >= 3
