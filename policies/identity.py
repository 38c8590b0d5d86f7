"""Who had a hand in a text, whichever role or application they came by. Pure.

A person through an application is that person. An application that acts as itself stands for the
person who made it as well: else they could approve by themselves what it wrote.
"""

from audit.actor import Actor

PERSON = "user:"
APPLICATION = "application:"


def identity(actor: Actor) -> str:
    """Return the identity under which an actor decides."""
    return f"{actor.kind}:{actor.id}"


def identities(actor: Actor) -> list[str]:
    """Return every identity that a text has from an actor's hand."""
    made_by = [f"{PERSON}{actor.maker}"] if actor.maker else []
    return [identity(actor), *made_by]


def joined(authors: list[str], actor: Actor) -> list[str]:
    """Return the authors of a text once this actor has a hand in it too."""
    return sorted({*authors, *identities(actor)})
