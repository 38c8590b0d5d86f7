"""One process, two planes: /v1, /openai and the operations to the proxy, the rest to Django.

GATEHOUSE_ROLE parts them: `proxy` never imports Django, `console` answers nothing under these.
"""

import asyncio
import gc
import os
from collections.abc import Awaitable
from typing import Any

from gateway import logs
from gateway.bounded import bounded
from gateway.config import load
from gateway.proxy.app import OPERATIONS, Proxy, serves
from gateway.proxy.wire import Receive, Scope, Send

GC_THRESHOLDS = (50_000, 20, 20)

config = load(os.environ, serving=True)
logs.configure()


def _control_plane() -> Any:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    from django.core.asgi import get_asgi_application  # noqa: PLC0415  (role proxy has no Django)

    from gateway import pool  # noqa: PLC0415

    pool.keep()
    django: Any = get_asgi_application()
    return bounded(django)


data_plane = Proxy(config)
control_plane = None if config.role == "proxy" else _control_plane()


def application(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    """Route by path; start and stop the data plane with the server, which speaks HTTP alone."""
    if scope["type"] == "lifespan":
        return _live(receive, send)
    if control_plane is None or _is_data(scope["path"]):
        return data_plane(scope, receive, send)
    found: Awaitable[None] = control_plane(scope, receive, send)
    return found


def _is_data(path: str) -> bool:
    return path in OPERATIONS if config.role == "console" else serves(path)


def _settle_memory() -> None:
    """Let the garbage collector pass over what is loaded by now and stays to the end.

    A call leaves hardly any cycles behind; walking a hundred megabytes of code and patterns every
    few hundred calls costs more than any step of a call.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def _let_go() -> None:
    from gateway import pool  # noqa: PLC0415  (role proxy has no Django)

    await asyncio.to_thread(pool.close)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await data_plane.start()
            _settle_memory()
            await send({"type": "lifespan.startup.complete"})
        else:
            await data_plane.stop()
            if control_plane is not None:
                await _let_go()
            await send({"type": "lifespan.shutdown.complete"})
            return
