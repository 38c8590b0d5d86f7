"""The upkeep of holds, and what a call does when its tenant's epoch has just been turned."""

import datetime
import uuid

import pytest
from django.utils import timezone

from tenants.holds import KEEP, KEEP_LOST, epochs_turn, holds_prune
from tenants.models import Hold, TenantEpoch
from tests import estate
from tests.stack import Gateway, eventually


@pytest.fixture
def tenant(db, unique):
    return estate.tenant_create(actor=estate.ACTOR, name=unique("tenant"))


def hold(tenant, *, state, epoch, age, seq):
    return Hold.objects.create(
        call_id=uuid.UUID(int=seq, version=4),
        attempt=1,
        tenant_id=tenant.id,
        epoch=epoch,
        seq=seq,
        state=state,
        bound_pico=0,
        currency="USD",
        lease_until=timezone.now(),
        created_at=timezone.now() - age,
    )


def test_case_4_only_closed_claims_of_epochs_that_are_over_are_dropped(tenant):
    TenantEpoch.objects.filter(tenant=tenant).update(epoch=5)
    old, older = KEEP + datetime.timedelta(hours=1), KEEP_LOST + datetime.timedelta(hours=1)
    base = tenant.id.int % 10**12
    kept = [
        hold(tenant, state="settled", epoch=5, age=old, seq=base + 1),
        hold(tenant, state="settled", epoch=4, age=datetime.timedelta(0), seq=base + 2),
        hold(tenant, state="open", epoch=4, age=older, seq=base + 3),
        hold(tenant, state="lost", epoch=4, age=old, seq=base + 4),
    ]
    hold(tenant, state="settled", epoch=4, age=old, seq=base + 5)
    hold(tenant, state="void", epoch=1, age=old, seq=base + 6)
    hold(tenant, state="lost", epoch=4, age=older, seq=base + 7)
    assert holds_prune(timezone.now()) >= 3
    left = Hold.objects.filter(tenant_id=tenant.id).values_list("seq", flat=True)
    assert sorted(left) == sorted(one.seq for one in kept)


def test_case_4_a_call_after_the_turn_of_its_epoch_is_admitted_under_the_next(db):
    route = estate.route((estate.simulated(), "simulated"))
    house = estate.estate(route, budgets=[{"limit_micros": 1_000_000}])
    with Gateway() as gateway:
        assert gateway.chat(house.secret, house.model, max_tokens=10).status_code == 200
        before = TenantEpoch.objects.get(tenant=house.tenant).epoch
        epochs_turn()
        assert gateway.chat(house.secret, house.model, max_tokens=10).status_code == 200
        holds = Hold.objects.filter(tenant_id=house.tenant.id, state="settled")
        eventually(lambda: holds.count() == 2)
        epochs = sorted(holds.values_list("epoch", flat=True))
        assert epochs[0] == before < epochs[1]
