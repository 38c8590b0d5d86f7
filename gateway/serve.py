"""One web process: `python -m gateway.serve --fd N`, or `--host H --port P` without a parent."""

import argparse
import math
import os
import socket
import sys

import uvicorn

from gateway.config import Config, ConfigError, load

# Longer than a load balancer keeps an idle connection, so that it is never we who close first.
KEEP_ALIVE_S = 75


def server(config: Config, host: str, port: int) -> uvicorn.Server:
    """Return a server of the whole application, not yet listening."""
    # Late: the proxy's modules are wanted in web processes alone.
    from gateway.proxy.wire import bounded  # noqa: PLC0415

    return uvicorn.Server(
        uvicorn.Config(
            "gateway.asgi:application",
            host=host,
            port=port,
            loop="uvloop",
            http=bounded(config.body_read_s),
            ws="none",
            interface="asgi3",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the application knows whom to trust
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=math.ceil(config.drain_s),
        )
    )


def main() -> int:
    """Serve until SIGTERM or SIGINT, then finish what is in flight, for `drain_s` at most."""
    parser = argparse.ArgumentParser(prog="python -m gateway.serve", description=__doc__)
    parser.add_argument("--fd", type=int, help="an inherited socket that listens")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    try:
        config = load(os.environ, serving=True)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the operator's terminal
        return 1
    web = server(config, options.host or config.host, options.port or config.port)
    web.run(None if options.fd is None else [socket.socket(fileno=options.fd)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
