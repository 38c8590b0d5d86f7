"""What a token of `export_download` opens, and for whom; and how a file is sent."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from asgiref.sync import sync_to_async
from django.core import signing
from django.db import connections
from django.http import FileResponse

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


class FileAnswer(FileResponse):
    """A file, block by block: Django would read all of it before an event loop sends the first."""

    block_size = BLOCK

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the blocks; other requests are answered while the disk is read, and have the
        connection to the database, of which nothing more is asked here."""
        await sync_to_async(connections.close_all)()
        blocks = iter(self)
        while block := await asyncio.to_thread(next, blocks, b""):
            yield block
