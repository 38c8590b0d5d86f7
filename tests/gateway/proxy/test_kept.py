"""What is kept is found and opened by its tenant, under its name, and by nobody else."""

import os

import pytest

from gateway.exchange import Origin
from gateway.proxy.kept import Kept, Sealer

MASTER = bytes(range(32))
NONCE = bytes(12)
KEPT = Kept(
    "m", "d", "application/json", b"{}\x00\xff", 1.5, 7, "a", str(10**30), "USD", "c",
    Origin("n", 3),
)  # fmt: skip


def sealer(tenant="t", master=MASTER):
    return Sealer(master, tenant)


def test_what_was_sealed_is_opened_as_it_was():
    mine = sealer()
    name = mine.name(b"answer", b"x")
    sealed = mine.seal(name, KEPT, os.urandom(12))
    assert b"application/json" not in sealed
    assert sealer().open(name, sealed) == KEPT


@pytest.mark.parametrize("other", [sealer("u"), sealer(master=bytes(32))])
def test_case_20_another_tenant_or_key_neither_finds_nor_opens_it(other):
    mine = sealer()
    name = mine.name(b"answer", b"x")
    assert other.name(b"answer", b"x") != name
    assert other.open(name, mine.seal(name, KEPT, NONCE)) is None


def test_what_lies_under_another_name_or_is_damaged_does_not_open():
    mine = sealer()
    sealed = mine.seal("one", KEPT, NONCE)
    assert mine.open("two", sealed) is None
    for broken in (b"", sealed[:20], sealed[:-1], sealed[:-1] + bytes([sealed[-1] ^ 1])):
        assert mine.open("one", broken) is None


def test_what_another_version_wrote_is_nothing():
    mine = sealer()
    older = NONCE + mine._cipher.encrypt(NONCE, b"\x91\xa1m", b"one")
    assert mine.open("one", older) is None


def test_parts_are_not_cut_elsewhere():
    mine = sealer()
    several = ((b"a", b"b"), (b"ab",), (b"", b"ab"), (b"ab", b""), (b"1:a", b"b"), (b"b", b"a"))
    names = [mine.name(*parts) for parts in several]
    assert len(set(names)) == len(names)
