"""The lists of the life cycle: few queries, however many rows, and page after page."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from policies.services.drafts import draft_create
from policies.services.exemptions import exemption_grant
from policies.services.reviews import review_request
from tests.gateway.views.reading import signed_in
from tests.management import Api
from tests.policies.lifecycle import OPERATOR, STRICT, House, unique

pytestmark = pytest.mark.usefixtures("db")

QUERIES_MAX = 12
PAGES = ("/exemptions", "/reviews", "/services", "/policies")


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
