"""The process of the models, from its environment to its end."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping

from gateway import logs
from gateway.config import ConfigError, NerPlace, ner_place
from gateway.ner.frames import Hello
from gateway.ner.serving import Serving, SocketBusyError, check_free, listen
from policies.detectors.ner_config import NerConfig, NerError, read_config
from policies.pdp.problem import PolicyError

log = logging.getLogger(__name__)


def main(environ: Mapping[str, str]) -> int:
    """Load the models, then answer until SIGTERM or SIGINT.

    Returns 0, or 1 with the reason on stderr.
    """
    try:
        place = ner_place(environ)
        _run(place, _config(place))
    except (ConfigError, NerError, SocketBusyError, OSError) as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


def _config(place: NerPlace) -> NerConfig:
    source = place.file.read_text(encoding="utf-8")
    try:
        return read_config(source)
    except PolicyError as error:
        told = PolicyError(error.problems, source)
        raise NerError(f"GATEHOUSE_NER: {place.file} is wrong:\n{told}") from error


def _run(place: NerPlace, config: NerConfig) -> None:
    check_free(place.socket)
    # Late: this loads spaCy, and who is only told what is wrong with the settings need not wait.
    from policies.detectors.ner_engine import Engine  # noqa: PLC0415

    logs.configure()
    begun = time.monotonic()
    engine = Engine(config, place.file.parent)
    with listen(place.socket) as listener:
        hello = Hello(os.getpid(), engine.version, engine.models)
        took_s = round(time.monotonic() - begun, 2)
        log.info("ner_ready", extra={"models": engine.models, "took_s": took_s})
        try:
            asyncio.run(_serve(Serving(engine.read, hello, place.characters), listener))
        finally:
            place.socket.unlink(missing_ok=True)


async def _serve(serving: Serving, listener: socket.socket) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serving.run(listener, stop)
