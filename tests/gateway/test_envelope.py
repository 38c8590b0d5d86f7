"""Sealed secrets open in their row, under their master key, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import envelope
from gateway.envelope import NONCE_BYTES, EnvelopeError, Sealed, seal, unseal

MASTER, NEXT = b"m" * 32, b"n" * 32
ROW, OTHER_ROW = "gateway_credential:1:a", "gateway_credential:2:a"
NONCE = bytes(range(NONCE_BYTES))

secrets = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
nonces = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)
masters = st.binary(min_size=32, max_size=32)


@given(secrets, nonces, masters, st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_in_its_row(secret, nonce, master, row):
    assert unseal(seal(secret, row, master, nonce), row, (master,)) == secret


def test_a_ciphertext_in_another_row_does_not_open():
    with pytest.raises(EnvelopeError, match="does not belong to this row"):
        unseal(seal("sk-1", ROW, MASTER, NONCE), OTHER_ROW, (MASTER,))


@given(st.integers(0), st.integers(1, 255))
def test_any_changed_byte_is_noticed(place, change):
    box = seal("sk-canary", ROW, MASTER, NONCE)
    changed = bytearray(box.sealed)
    changed[place % len(changed)] ^= change
    with pytest.raises(EnvelopeError):
        unseal(Sealed(bytes(changed), box.key_id), ROW, (MASTER,))


def test_what_is_cut_short_does_not_open():
    box = seal("sk-canary", ROW, MASTER, NONCE)
    with pytest.raises(EnvelopeError):
        unseal(Sealed(box.sealed[:-1], box.key_id), ROW, (MASTER,))


def test_while_the_master_key_is_replaced_both_open():
    old, new = seal("sk-old", ROW, MASTER, NONCE), seal("sk-new", ROW, NEXT, NONCE)
    assert unseal(old, ROW, (NEXT, MASTER)) == "sk-old"
    assert unseal(new, ROW, (NEXT, MASTER)) == "sk-new"


def test_once_the_former_master_key_is_gone_what_it_sealed_stays_closed():
    with pytest.raises(EnvelopeError, match="no master key with id"):
        unseal(seal("sk-old", ROW, MASTER, NONCE), ROW, (NEXT,))


def test_a_key_id_of_another_key_opens_nothing():
    box = seal("sk", ROW, MASTER, NONCE)
    with pytest.raises(EnvelopeError):
        unseal(Sealed(box.sealed, envelope.key_id(NEXT)), ROW, (NEXT, MASTER))


def test_every_purpose_and_every_tenant_has_a_key_of_its_own():
    pepper = envelope.key_pepper(MASTER)
    made = [
        pepper.tag,
        pepper.digest,
        envelope.derive(MASTER, "credential"),
        envelope.tenant_key(MASTER, "acme", "digest"),
        envelope.tenant_key(MASTER, "acme", "redaction"),
        envelope.tenant_key(MASTER, "other", "digest"),
        envelope.derive(NEXT, "credential"),
    ]
    assert len(set(made)) == len(made)
    assert {len(key) for key in made} == {32}


def test_the_name_of_a_master_key_does_not_show_it():
    name = envelope.key_id(MASTER)
    assert len(name) == 16
    assert MASTER.hex() not in name
    assert name != envelope.key_id(NEXT)


def test_the_secret_is_not_in_what_is_stored():
    assert b"sk-canary" not in seal("sk-canary", ROW, MASTER, NONCE).sealed
