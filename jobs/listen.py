"""Where the server listens, under which name, and with which secret, before there is a server."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
from pathlib import Path

from jobs.exits import Exit, Failure

PORT = 8188
PORTS_TRIED = 100
SHORTEST_TOKEN = 16


def read_token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(Exit.BAD_CONFIGURATION, f"--token-file {path}: {error}") from error
    if len(token) < SHORTEST_TOKEN:
        raise Failure(
            Exit.BAD_CONFIGURATION,
            f"--token-file {path}: expected at least {SHORTEST_TOKEN} characters, got {len(token)}; "
            "`python -c 'import secrets; print(secrets.token_urlsafe(32))'` makes one",
        )
    return token


def token_for(host: str, path: Path | None) -> str | None:
    """The secret in the file `path`; without one other machines are not let in. Raises Failure."""
    if path is not None:
        return read_token(path)
    if is_loopback(host):
        return None
    raise Failure(
        Exit.BAD_CONFIGURATION,
        f"--host {host} lets other machines in, so --token-file FILE is needed: "
        f"a file with a secret of at least {SHORTEST_TOKEN} characters",
    )


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket on `port`; without one on PORT or, and it is said, the next free one."""
    if port is not None:
        return listen_on(host, port)
    for candidate in range(PORT, PORT + PORTS_TRIED):
        with contextlib.suppress(Failure):
            listener = listen_on(host, candidate)
            if candidate != PORT:
                sys.stderr.write(f"Port {PORT} is taken; using {candidate}.\n")
            return listener
    return listen_on(host, PORT)


def listen_on(host: str, port: int) -> socket.socket:
    if not 0 <= port < 1 << 16:
        raise Failure(Exit.USAGE, f"--port {port}: expected 0 to 65535")
    try:
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise Failure(Exit.BAD_CONFIGURATION, f"cannot listen on {host} port {port}: {error}") from error
    family, kind, protocol, _, address = resolved[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as error:
        listener.close()
        message = f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port"
        raise Failure(Exit.UNAVAILABLE, message) from error
    return listener


def shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - shown, not bound
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
