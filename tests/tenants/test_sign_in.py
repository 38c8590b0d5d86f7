"""How often one may try to sign in."""

import datetime
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tenants.models import SignInPace
from tenants.sign_in import ADDRESS, EMAIL, FORGET_MAX, attempt, succeeded

pytestmark = pytest.mark.usefixtures("db")

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)


def email():
    return f"{secrets.token_hex(6)}@example.org"


def address():
    return f"198.{secrets.randbelow(255)}.{secrets.randbelow(255)}.{secrets.randbelow(255)}"


def tries(times, now=NOW, **whose):
    """Return the waits of so many attempts, each with an e-mail and address of its own or given."""
    return [
        attempt(
            email=whose.get("email") or email(), address=whose.get("address") or address(), now=now
        )
        for _ in range(times)
    ]


@pytest.mark.parametrize(("whose", "pace"), [("email", EMAIL), ("address", ADDRESS)])
def test_a_burst_passes_and_then_one_at_a_time(whose, pace):
    who = {whose: email() if whose == "email" else address()}
    assert tries(pace.burst, **who) == [0] * pace.burst
    wait = pace.every.total_seconds()
    assert tries(2, **who) == [wait, wait]
    later = NOW + pace.every
    assert tries(2, later, **who) == [0, wait]


def test_a_wait_that_was_kept_is_enough():
    who = email()
    tries(EMAIL.burst, email=who)
    (wait,) = tries(1, email=who)
    assert tries(1, NOW + datetime.timedelta(seconds=wait), email=who) == [0]


def test_attempts_at_the_same_moment_cannot_share_a_place():
    who = email()

    def one(_):
        try:
            return tries(1, email=who)[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(one, range(4 * EMAIL.burst)))
    assert waits.count(0) == EMAIL.burst


def test_an_address_that_must_wait_uses_up_no_email():
    here, who = address(), email()
    tries(ADDRESS.burst, address=here)
    assert all(tries(EMAIL.burst, address=here, email=who))
    assert tries(1, email=who) == [0]


@pytest.mark.parametrize("written", ["{0}", " {0} ", "{1}"])
def test_one_email_is_one_however_it_is_written(written):
    who = email()
    tries(EMAIL.burst, email=who)
    assert tries(1, email=written.format(who, who.upper()))[0] > 0


def test_letters_that_the_database_takes_for_others_do_not_help():
    # PostgreSQL finds the second e-mail by the first: both are upper-cased to one text.
    stem = secrets.token_hex(6)
    tries(EMAIL.burst, email=f"s{stem}@example.org")
    assert tries(1, email=f"\u017f{stem}@example.org")[0] > 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:{0}:1::1", "2001:db8:{0}:1:ffff::2"),
        ("198.18.{1}.9", "::ffff:198.18.{1}.9"),
    ],
)
def test_one_neighbourhood_is_one_address(one, other):
    place = (secrets.token_hex(2), secrets.randbelow(255))
    tries(ADDRESS.burst, address=one.format(*place))
    assert tries(1, address=other.format(*place))[0] > 0


def test_another_network_is_another_address():
    place = secrets.token_hex(2)
    tries(ADDRESS.burst, address=f"2001:db8:{place}:1::1")
    assert tries(1, address=f"2001:db8:{place}:2::1") == [0]


def test_an_unknown_address_is_counted_too():
    where = f"unix:{secrets.token_hex(4)}"
    assert tries(ADDRESS.burst + 1, address=where)[-1] > 0


def test_who_has_signed_in_starts_afresh():
    who, here = email(), address()
    tries(EMAIL.burst, email=who, address=here)
    succeeded(email=who.upper())
    assert tries(1, email=who) == [0]
    assert SignInPace.objects.count() > 0


def test_nothing_that_was_typed_is_kept():
    typed = f"my-secret-{secrets.token_hex(8)}"
    attempt(email=typed, address=address(), now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(pace::text, ' ') FROM tenants_signinpace AS pace")
        assert typed not in cursor.fetchone()[0]


def test_spent_rows_are_removed():
    tries(FORGET_MAX // 2)
    assert SignInPace.objects.filter(free_at__lt=NOW + datetime.timedelta(hours=1)).exists()
    much_later = NOW + datetime.timedelta(days=1)
    while SignInPace.objects.filter(free_at__lt=much_later).exists():
        before = SignInPace.objects.count()
        tries(1, much_later)
        assert SignInPace.objects.count() < before + 2
    SignInPace.objects.all().delete()
