"""Rules name kinds that a guard declares, and are not published with one that nobody finds."""

import pytest

from gateway.services.guards import guard_create
from policies.pdp.problem import PolicyError
from tests import estate
from tests.mock_guard import SECRET

pytestmark = pytest.mark.usefixtures("db")

RULE = """
policy: {name}
rules:
  - {id: r, when: "'KIND' in custom.kinds", deny: {message: No.}}
"""


def test_a_misspelt_kind_is_refused_with_the_nearest(unique):
    kind = unique("RARE").upper().replace("-", "_")
    rule, tenant = RULE.replace("KIND", kind), estate.estate().tenant
    with pytest.raises(PolicyError, match=kind):
        estate.attach(rule, tenant=tenant)
    guard_create(
        actor=estate.ACTOR,
        tenant=tenant,
        name="names",
        secret=SECRET,
        url="https://guard.example/",
        kinds=[kind],
        phases=["request"],
    )
    estate.attach(rule, tenant=tenant)
    with pytest.raises(PolicyError) as refused:
        estate.attach(rule.replace(kind, f"{kind}X"), tenant=tenant)
    assert kind in refused.value.problems[0].hint
