"""Who had a hand in a text, by whichever door they came."""

from audit.actor import Actor, command
from policies.identity import identities, identity, joined

ANN = Actor("user", "1", "ann@example.org")
THROUGH = Actor("user", "1", "ann@example.org through ci")
BOT = Actor("application", "9", "ci", maker="1")


def test_a_person_is_one_whatever_they_come_through():
    assert identity(ANN) == identity(THROUGH) == "user:1"


def test_an_application_stands_for_its_maker_as_well():
    assert identities(BOT) == ["application:9", "user:1"]
    assert identities(Actor("application", "9", "ci")) == ["application:9"]


def test_authors_are_told_once_and_in_order():
    assert joined(joined(["user:2"], ANN), BOT) == ["application:9", "user:1", "user:2"]
    assert joined([], command("apply")) == ["command:apply"]
