"""Servers that answer a client of OTX byte by byte as told, and the errors that it makes of them."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time

import pytest

from pulsegate.errors import PulsegateError
from pulsegate.otx.failures import WAIT_HINT

KEY = "0123456789abcdef-secret"
ADDRESS = re.compile(r"https?://127\.0\.0\.1:\d+")


def failure(ask):
    """The error that ``ask`` raises; whatever it is, the key isn't in it or in what caused it."""
    with pytest.raises(PulsegateError) as caught:
        ask()
    link = caught.value
    while link is not None:
        assert KEY not in str(link)
        assert KEY not in repr(link)
        link = link.__cause__ or link.__context__
    return caught.value


def kind_and_text(error):
    return type(error), ADDRESS.sub("", str(error)).removesuffix(f". {WAIT_HINT}")


def head(length, *lines):
    """The head of a good answer with a body of ``length`` bytes."""
    return "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {length}", *lines, "", ""]).encode()


@contextlib.contextmanager
def raw_server(*pieces, pause=0.0, on_request=False):
    """A server that takes one connection and sends ``pieces``, ``pause`` seconds apart or each when it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                for number, piece in enumerate(pieces):
                    if on_request or not number:
                        connection.recv(65_536)
                    connection.sendall(piece)
                    time.sleep(pause)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()
