"""What a text names must be there when it is published, and when it comes into force."""

import datetime

import pytest
from django.utils import timezone

from policies.pdp.problem import PolicyError
from policies.services.activations import (
    policy_activate,
    policy_rollback,
    policy_version_freeze,
)
from policies.services.policies import policy_publish
from policies.services.rollouts import rollout_start
from policies.services.schedules import schedule_create
from tenants.models import Tenant
from tests.policies.lifecycle import OPERATOR, House

pytestmark = pytest.mark.usefixtures("db")


def naming(condition):
    return f"default: permit\nrules:\n  - {{id: r, when: '{condition}', risk: 1}}\n"


def frozen(house, body):
    return policy_version_freeze(actor=OPERATOR, policy=house.policy, source=house.text(body))


def test_a_text_names_what_its_author_can_see():
    house, other = House(), House()
    own = house.text(naming(f'tenant.name == "{house.tenant.name}" && app.name == "helpdesk"'))
    assert policy_publish(actor=house.approver(), policy=house.policy, source=own)
    foreign = house.text(naming(f'tenant.name == "{other.tenant.name}"'))
    with pytest.raises(PolicyError, match=f'there is no tenant "{other.tenant.name}"') as refused:
        policy_publish(actor=house.approver(), policy=house.policy, source=foreign)
    assert other.tenant.name not in refused.value.problems[0].hint
    assert policy_publish(actor=OPERATOR, policy=house.policy, source=foreign)


def test_what_is_gone_meanwhile_keeps_a_version_out_of_force():
    house, other = House(), House()
    version = frozen(house, naming(f'tenant.name == "{other.tenant.name}"'))
    Tenant.objects.filter(pk=other.tenant.pk).update(state=Tenant.State.REMOVED)
    soon = timezone.now() + datetime.timedelta(hours=1)
    for service, terms in (
        (policy_activate, {"version": version}),
        (rollout_start, {"policy": house.policy, "version": version}),
        (schedule_create, {"policy": house.policy, "version": version, "at": soon}),
    ):
        with pytest.raises(PolicyError, match="there is no tenant"):
            service(actor=OPERATOR, **terms)
    assert house.active == house.first


def test_what_was_in_force_may_come_back_whatever_is_gone():
    house, other = House(), House()
    version = frozen(house, naming(f'tenant.name == "{other.tenant.name}"'))
    policy_activate(actor=OPERATOR, version=version)
    policy_activate(actor=OPERATOR, version=house.first)
    Tenant.objects.filter(pk=other.tenant.pk).update(state=Tenant.State.REMOVED)
    assert policy_rollback(actor=OPERATOR, version=version)
    assert house.active == version
