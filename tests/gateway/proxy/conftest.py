"""A loop to drive the data plane's coroutines from plain tests, and rows that they need."""

import asyncio
import datetime
import os
import uuid

import pytest

from audit.record import Record, call_id


class Loop:
    """One loop for a module; `spawn` keeps a coroutine running until the end."""

    def __init__(self):
        self.runner = asyncio.Runner()
        self.tasks = []

    def run(self, work):
        return self.runner.run(work)

    def spawn(self, work):
        async def start():
            return asyncio.get_running_loop().create_task(work)

        task = self.run(start())
        self.tasks.append(task)
        return task

    def close(self):
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            self.run(asyncio.wait(self.tasks))
        self.runner.close()


@pytest.fixture(scope="module")
def loop():
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def tenant_row(db, unique):
    """A tenant with an epoch, as the database has it."""
    from tenants.models import Tenant, TenantEpoch  # noqa: PLC0415

    tenant = Tenant.objects.create(name=unique("tenant"))
    TenantEpoch.objects.get_or_create(tenant=tenant, defaults={"epoch": 1})
    TenantEpoch.objects.filter(tenant=tenant).update(epoch=1)
    return tenant


@pytest.fixture
def new_record():
    """Make a record of a call: `new_record(tenant, kind, call_id, attempt)`."""

    def make(tenant, kind="admitted", call=None, attempt=1, **body):
        now = datetime.datetime.now(datetime.UTC)
        return Record(
            kind=kind,
            call_id=call or call_id(int(now.timestamp() * 1000), os.urandom(10)),
            attempt=attempt,
            at=now,
            tenant_id=str(tenant.id),
            app_id=str(uuid.uuid4()),
            key_id="abcdefghij",
            model="m",
            code="",
            cost_micros=None,
            body=body,
        )

    return make
