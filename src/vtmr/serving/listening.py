"""A socket that listens before anything else is started, so that a client that comes at once finds
somebody."""

from __future__ import annotations

import socket

from vtmr.errors import InputError


def bind(host: str, port: int) -> socket.socket:
    """Listening there; port 0 is any that is free. Raises InputError when the address can't be
    used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except BaseException:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"The address {host}:{port} can't be used: {reason}. Choose another --port or --host."
        ) from error
    return listener
