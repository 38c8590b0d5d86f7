"""How a call ended, and that the list filters by the same words."""

import re
from pathlib import Path

import pytest
from django.db import connection

from audit.outcome import LAST_WORD, OUTAGES, OUTCOMES, WITHHELD, outcome
from audit.selectors import CALLS
from gateway.proxy import errors

EXPECTED = [
    ("refused", "policy_denied", "denied"),
    ("refused", "insufficient_quota", "denied"),
    ("refused", "model_unpriced", "denied"),
    ("refused", "evidence_unavailable", "failed"),
    ("completed", "", "permitted"),
    ("completed", "policy_denied", "denied"),
    ("completed", "key_revoked", "denied"),
    ("completed", "upstream_error", "failed"),
    ("completed", "not_sent", "failed"),
    ("lost", "lost", "lost"),
    ("admitted", "", "in_flight"),
]


@pytest.mark.parametrize(("kind", "code", "expected"), EXPECTED)
def test_the_last_word_has_one_meaning(kind, code, expected):
    assert outcome(kind, code) == expected


def test_every_outcome_can_come_out():
    assert {expected for _, _, expected in EXPECTED} == set(OUTCOMES)


@pytest.mark.usefixtures("db")
def test_the_database_reads_the_last_word_as_python_does():
    case = re.search(r"SELECT (CASE.+?END)", CALLS, re.DOTALL).group(1)
    codes = ["", "lost", "upstream_error", "rate_limit_exceeded", *OUTAGES, *WITHHELD]
    for kind in LAST_WORD:
        for code in codes:
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT {case} FROM (SELECT %(kind)s AS kind, %(code)s AS code) AS last",  # noqa: S608
                    {
                        "kind": kind,
                        "code": code,
                        "outages": list(OUTAGES),
                        "withheld": list(WITHHELD),
                    },
                )
                assert cursor.fetchone() == (outcome(kind, code),)


def test_every_outage_is_a_refusal_with_503_or_a_provider_that_is_left_alone():
    said = Path(errors.__file__).read_text().partition("Unavailable 503")[2].partition("\n\n")[0]
    left_alone = {"upstream_credential_rejected", "upstream_rate_limited"}
    assert set(re.findall(r"[a-z_]+", said)) | left_alone == set(OUTAGES)
