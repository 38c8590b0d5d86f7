"""The scripts against a real Redis: nothing is granted that does not fit, whatever the order."""

import uuid

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.bundle import Budget, Limit
from gateway.exchange import BudgetLine
from gateway.proxy.store.counters import (
    CounterState,
    Demand,
    Exceeded,
    Granted,
    NeedsRebuild,
    OpenOperation,
    WrongWindow,
    counter_name,
    level_tokens,
    limit_line,
)
from tests.gateway.proxy.store.conftest import Driver

FOREVER = (0, 2**40)
LEASE_MS = 600_000


def new_tenant():
    return str(uuid.uuid4())


def budget(limit, *, hard=True, starts=FOREVER):
    return Budget(str(uuid.uuid4()), "month", limit, "USD", "total", hard, (), "", "", starts)


def line_of(one, group=""):
    return BudgetLine(one, one.starts[0], one.starts[1], group)


def limit_of(tenant_id, kind, amount, per_s=60, burst=0):
    return limit_line(tenant_id, Limit(str(uuid.uuid4()), kind, kind, amount, per_s, burst, "", ""))


def operation():
    return f"{uuid.uuid4()}-1"


def rebuild(driver, tenant_id, lines, epoch=1, posted=None, operations=()):
    states = [CounterState(line, (posted or {}).get(line.budget.id, {})) for line in lines]
    return driver.run(driver.counters.rebuild(tenant_id, epoch, 1, states, operations))


def reserve(driver, tenant_id, *, lines=(), limits=(), micros=0, tokens=0, op=None, revision=1):
    return driver.run(
        driver.counters.reserve(
            op or operation(),
            tenant_id,
            Demand(limits, tokens, lines, micros, revision, LEASE_MS),
        )
    )


def settle(driver, tenant_id, op, *, lines=(), limits=(), micros=0, tokens=0):
    return driver.run(
        driver.counters.settle(
            op,
            tenant_id,
            limits=limits,
            tokens=tokens,
            budgets=lines,
            micros=[micros] * len(lines),
        )
    )


def test_a_tenant_without_counters_must_be_rebuilt_first(driver):
    line = line_of(budget(1000))
    assert reserve(driver, new_tenant(), lines=[line], micros=1) == NeedsRebuild(0)


def test_nothing_is_granted_above_the_limit_and_what_is_given_back_can_be_used_again(driver):
    tenant, line = new_tenant(), line_of(budget(1000))
    rebuild(driver, tenant, [line])
    first = operation()
    assert isinstance(reserve(driver, tenant, lines=[line], micros=700, op=first), Granted)
    refused = reserve(driver, tenant, lines=[line], micros=301)
    assert isinstance(refused, Exceeded)
    assert refused.headroom == 300
    assert settle(driver, tenant, first, lines=[line], micros=200)
    assert isinstance(reserve(driver, tenant, lines=[line], micros=800), Granted)
    assert reserve(driver, tenant, lines=[line], micros=1).headroom == 0


def test_a_repeated_reservation_returns_its_stored_verdict_and_holds_once(driver):
    tenant, line = new_tenant(), line_of(budget(1000))
    rebuild(driver, tenant, [line])
    op = operation()
    once = reserve(driver, tenant, lines=[line], micros=600, op=op)
    again = reserve(driver, tenant, lines=[line], micros=600, op=op)
    assert once == again
    assert reserve(driver, tenant, lines=[line], micros=401).headroom == 400


def test_a_settlement_counts_once(driver):
    tenant, line = new_tenant(), line_of(budget(1000))
    rebuild(driver, tenant, [line])
    op = operation()
    reserve(driver, tenant, lines=[line], micros=500, op=op)
    assert settle(driver, tenant, op, lines=[line], micros=100)
    assert not settle(driver, tenant, op, lines=[line], micros=100)
    assert reserve(driver, tenant, lines=[line], micros=901).headroom == 900


def test_all_budgets_and_limits_or_nothing(driver):
    tenant = new_tenant()
    roomy, narrow = line_of(budget(1000)), line_of(budget(100))
    requests = limit_of(tenant, "requests", 60, burst=2)
    rebuild(driver, tenant, [roomy, narrow])
    refused = reserve(driver, tenant, lines=[roomy, narrow], limits=[requests], micros=101)
    assert refused == Exceeded(2, 100, refused.wait_ms)
    for _ in range(2):  # the refusal burned none of the two requests
        assert isinstance(reserve(driver, tenant, limits=[requests]), Granted)
    assert isinstance(reserve(driver, tenant, lines=[roomy], micros=1000), Granted)


def test_a_soft_budget_counts_and_never_refuses(driver):
    tenant, line = new_tenant(), line_of(budget(100, hard=False))
    rebuild(driver, tenant, [line])
    assert isinstance(reserve(driver, tenant, lines=[line], micros=5000), Granted)
    assert isinstance(reserve(driver, tenant, lines=[line], micros=5000), Granted)


def test_groups_of_one_budget_count_apart(driver):
    tenant, one = new_tenant(), budget(100)
    rebuild(driver, tenant, [line_of(one)])
    assert isinstance(reserve(driver, tenant, lines=[line_of(one, "ann")], micros=100), Granted)
    assert isinstance(reserve(driver, tenant, lines=[line_of(one, "bob")], micros=100), Granted)
    assert isinstance(reserve(driver, tenant, lines=[line_of(one, "ann")], micros=1), Exceeded)


def test_case_3_a_redis_with_another_run_id_must_be_rebuilt(driver):
    tenant, line = new_tenant(), line_of(budget(1000))
    rebuild(driver, tenant, [line])
    driver.run(driver.redis.execute("HSET", f"gh:{{{tenant}}}:m", "run", "another"))
    assert reserve(driver, tenant, lines=[line], micros=1) == NeedsRebuild(0)


def test_case_6_a_counter_that_was_listed_and_is_gone_is_not_zero(driver):
    tenant, line = new_tenant(), line_of(budget(1000))
    rebuild(driver, tenant, [line], posted={line.budget.id: {"": (900, 0)}})
    driver.run(driver.redis.execute("DEL", f"gh:{{{tenant}}}:b:{counter_name(line)}"))
    assert reserve(driver, tenant, lines=[line], micros=500) == NeedsRebuild(1)


def test_case_6_an_unlisted_counter_is_zero_only_if_its_window_began_after_the_epoch(driver):
    tenant = new_tenant()
    rebuild(driver, tenant, [])
    old = budget(1000)
    assert reserve(driver, tenant, lines=[line_of(old)], micros=1) == NeedsRebuild(1)
    seconds = int(driver.run(driver.redis.execute("TIME"))[0])
    driver.run(driver.redis.execute("HSET", f"gh:{{{tenant}}}:m", "since", (seconds - 50) * 1000))
    fresh = budget(1000, starts=(seconds - 10, seconds + 1000))
    assert isinstance(reserve(driver, tenant, lines=[line_of(fresh)], micros=1), Granted)


def test_case_8_a_window_that_is_not_now_is_wrong(driver):
    tenant = new_tenant()
    over = budget(1000, starts=(1000, 2000))
    rebuild(driver, tenant, [line_of(over)])
    verdict = reserve(driver, tenant, lines=[line_of(over)], micros=1)
    assert isinstance(verdict, WrongWindow)
    assert verdict.now_ms > 1_700_000_000_000


def test_case_8_the_newest_limit_holds_for_callers_of_older_revisions_too(driver):
    tenant, line = new_tenant(), line_of(budget(1000))
    rebuild(driver, tenant, [line])
    lowered = line_of(
        Budget(**{f: getattr(line.budget, f) for f in Budget.__slots__} | {"limit_micros": 100})
    )
    assert isinstance(reserve(driver, tenant, lines=[lowered], micros=50, revision=2), Granted)
    assert isinstance(reserve(driver, tenant, lines=[line], micros=60, revision=1), Exceeded)


def test_case_12_large_amounts_stay_exact(driver):
    tenant, line = new_tenant(), line_of(budget(2**52))
    rebuild(driver, tenant, [line])
    assert isinstance(reserve(driver, tenant, lines=[line], micros=2**52 - 1), Granted)
    assert reserve(driver, tenant, lines=[line], micros=2).headroom == 1
    assert isinstance(reserve(driver, tenant, lines=[line], micros=1), Granted)
    assert reserve(driver, tenant, lines=[line], micros=1).headroom == 0


def test_a_rebuild_restores_holds_and_settling_them_gives_back(driver):
    tenant, line = new_tenant(), line_of(budget(1000))
    op = operation()
    held = OpenOperation(op, 7, 2**45, ("",), (400,), (counter_name(line),))
    rebuild(driver, tenant, [line], posted={line.budget.id: {"": (100, 400)}}, operations=[held])
    assert reserve(driver, tenant, lines=[line], micros=501).headroom == 500
    assert settle(driver, tenant, op, lines=[line], micros=50)
    assert reserve(driver, tenant, lines=[line], micros=851).headroom == 850


def test_case_1_an_overtaken_rebuild_changes_nothing(driver):
    tenant, line = new_tenant(), line_of(budget(1000))
    assert rebuild(driver, tenant, [line], epoch=5) is None
    assert rebuild(driver, tenant, [line], epoch=4, posted={line.budget.id: {"": (999, 0)}}) == 5
    assert isinstance(reserve(driver, tenant, lines=[line], micros=1000), Granted)


def test_case_2_what_an_older_epoch_held_is_not_taken_from_new_counters(driver):
    tenant, line = new_tenant(), line_of(budget(1000))
    rebuild(driver, tenant, [line], epoch=1)
    op = operation()
    reserve(driver, tenant, lines=[line], micros=400, op=op)
    rebuild(driver, tenant, [line], epoch=2, posted={line.budget.id: {"": (400, 0)}})
    settle(driver, tenant, op, lines=[line], micros=400)
    assert reserve(driver, tenant, lines=[line], micros=601).headroom == 600


def test_requests_pass_in_a_burst_and_then_at_the_rate(driver):
    tenant = new_tenant()
    line = limit_of(tenant, "requests", 60, burst=3)
    for used in (1, 2, 3):
        granted = reserve(driver, tenant, limits=[line])
        assert level_tokens(line, granted.levels[0]) == used
    refused = reserve(driver, tenant, limits=[line])
    assert isinstance(refused, Exceeded)
    assert 0 < refused.wait_ms <= 1000


def test_tokens_are_charged_by_estimate_and_corrected(driver):
    tenant = new_tenant()
    line = limit_of(tenant, "tokens", 1000)
    op = operation()
    reserve(driver, tenant, limits=[line], tokens=900, op=op)
    assert isinstance(reserve(driver, tenant, limits=[line], tokens=200), Exceeded)
    settle(driver, tenant, op, limits=[line], tokens=-800)
    assert isinstance(reserve(driver, tenant, limits=[line], tokens=850), Granted)


def test_calls_at_once_are_leases(driver):
    tenant = new_tenant()
    line = limit_of(tenant, "concurrency", 2, per_s=0)
    first = operation()
    assert isinstance(reserve(driver, tenant, limits=[line], op=first), Granted)
    assert isinstance(reserve(driver, tenant, limits=[line]), Granted)
    assert isinstance(reserve(driver, tenant, limits=[line]), Exceeded)
    settle(driver, tenant, first, limits=[line])
    assert isinstance(reserve(driver, tenant, limits=[line]), Granted)


@pytest.mark.parametrize("per_s", [1, 60, 3600, 86400])
def test_a_level_in_tokens_survives_coarse_ticks(driver, per_s):
    tenant = new_tenant()
    line = limit_of(tenant, "tokens", 10**9, per_s=per_s)
    granted = reserve(driver, tenant, limits=[line], tokens=123_456)
    assert 0 <= level_tokens(line, granted.levels[0]) - 123_456 <= 1


class NoOverspend(RuleBasedStateMachine):
    """Any order of reserving, settling, repeating, losing Redis and rebuilding: posted + held never
    passes the limit then in force, and equals a model that knows the truth."""

    driver: Driver

    @initialize(limit=st.integers(0, 5000))
    def begin(self, limit):
        self.tenant = new_tenant()
        self.line = line_of(budget(limit))
        self.limit = limit
        self.epoch = 1
        self.made = 0
        self.open = {}
        self.closed = {}
        self.posted = 0
        rebuild(self.driver, self.tenant, [self.line])

    @rule(micros=st.integers(0, 2500))
    def reserve(self, micros):
        self.made += 1  # not random: hypothesis must meet the same names again
        op = f"op{self.made:03}-1"
        verdict = reserve(self.driver, self.tenant, lines=[self.line], micros=micros, op=op)
        fits = self.posted + sum(self.open.values()) + micros <= self.limit
        assert isinstance(verdict, Granted) == fits
        if fits:
            self.open[op] = micros

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def settle(self, data):
        op = data.draw(st.sampled_from(sorted(self.open)))
        spent = data.draw(st.integers(0, self.open.pop(op)))
        assert settle(self.driver, self.tenant, op, lines=[self.line], micros=spent)
        self.posted += spent
        self.closed[op] = spent

    @precondition(lambda self: self.closed)
    @rule(data=st.data())
    def settle_again(self, data):
        op = data.draw(st.sampled_from(sorted(self.closed)))
        assert not settle(self.driver, self.tenant, op, lines=[self.line], micros=self.closed[op])

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def reserve_again(self, data):
        op = data.draw(st.sampled_from(sorted(self.open)))
        verdict = reserve(self.driver, self.tenant, lines=[self.line], micros=self.open[op], op=op)
        assert isinstance(verdict, Granted)

    @rule()
    def lose_everything_and_rebuild(self):
        keys = self.driver.run(self.driver.redis.execute("KEYS", f"gh:{{{self.tenant}}}:*"))
        if keys:
            self.driver.run(self.driver.redis.execute("DEL", *keys))
        verdict = reserve(self.driver, self.tenant, lines=[self.line], micros=1)
        assert verdict == NeedsRebuild(0)
        self._rebuild()

    @rule()
    def rebuild_while_all_is_well(self):
        self._rebuild()

    def _rebuild(self):
        self.epoch += 1
        held = [
            OpenOperation(op, n, 2**45, ("",), (micros,), (counter_name(self.line),))
            for n, (op, micros) in enumerate(self.open.items())
        ]
        posted = {self.line.budget.id: {"": (self.posted, sum(self.open.values()))}}
        rebuild(self.driver, self.tenant, [self.line], self.epoch, posted=posted, operations=held)
        self.closed.clear()

    @invariant()
    def never_over_the_limit(self):
        key = f"gh:{{{self.tenant}}}:b:{counter_name(self.line)}"
        posted, held = self.driver.run(self.driver.redis.execute("HMGET", key, "p:", "h:"))
        assert int(posted or 0) == self.posted
        assert int(held or 0) == sum(self.open.values())
        assert self.posted + sum(self.open.values()) <= self.limit


def test_no_overspend_state_machine(driver):
    NoOverspend.driver = driver
    run_state_machine_as_test(
        NoOverspend,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
