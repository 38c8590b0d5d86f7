"""What a person reads on a page."""

import re
import uuid

from django.test import Client


def signed_in(user):
    """Return the browser of somebody who is signed in."""
    client = Client()
    client.force_login(user)
    return client


def body(answer):
    return answer.content.decode()


def text(answer):
    """Return what a person reads, in one line."""
    plain = re.sub(r"<[^>]+>", " ", body(answer))
    return re.sub(r"\s+", " ", plain)


def links(answer):
    return re.findall(r'href="([^"]+)"', body(answer).replace("&amp;", "&"))


def listed(answer):
    """Return the ids of the calls that a page lists."""
    found = (re.fullmatch(r"/calls/([0-9a-f-]{36})", link) for link in links(answer))
    return [uuid.UUID(match[1]) for match in found if match]
