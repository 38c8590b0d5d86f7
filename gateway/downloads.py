"""What a token of `export_download` opens, and for whom."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Literal

from asgiref.sync import sync_to_async
from django.core import signing

from audit.actor import Actor
from audit.models import Export
from audit.selectors import exports_visible
from gateway.selectors import DOWNLOAD_AGE_MAX, DOWNLOAD_SALT, export_file
from tenants.permissions import can

BLOCK = 256 * 1024

Refused = Literal["gone", "unknown"]


def opened(actor: Actor, token: str) -> Path | Refused:
    """Return the file that the token opens for the actor, or why it opens none.

    A token that somebody else may have been given opens nothing that one may not download oneself.
    """
    try:
        export_id, _part = signing.loads(token, salt=DOWNLOAD_SALT, max_age=DOWNLOAD_AGE_MAX)
    except signing.SignatureExpired:
        return "gone"
    except signing.BadSignature:
        return "unknown"
    export: Export | None = exports_visible(actor).filter(pk=export_id).first()
    if export is None or not can(actor, "export.download", export):
        return "unknown"
    return export_file(token) or "gone"


async def blocks(path: Path) -> AsyncIterator[bytes]:
    """Yield a file block by block: a large one is never in memory as a whole.

    Reading leaves the event loop free; under ASGI only an asynchronous iterator is streamed.
    """
    file = await sync_to_async(_open, thread_sensitive=False)(path)
    try:
        while block := await sync_to_async(file.read, thread_sensitive=False)(BLOCK):
            yield block
    finally:
        file.close()


def _open(path: Path) -> BinaryIO:
    return path.open("rb")
