"""How long a client is waited for, over a pair of Unix sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from pulsegate.cli import patience
from pulsegate.cli.patience import ClientGoneError, ClientTooSlowError, Patience, PatientSocket


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PatientSocket, socket.socket]]:
    monkeypatch.setattr(patience, "SILENCE", 0.3)
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    made = PatientSocket(ours)
    made.setblocking(True)
    with ours, theirs:
        yield made, theirs


def test_octets_give_back_what_waiting_used_up_and_never_more() -> None:
    left = Patience(30.0, 1000)
    left.spend(10.0, 4000)
    assert left.left == 24.0
    left.spend(0.0, 10_000_000)
    assert left.left == 30.0
    left.spend(31.0, 0)
    assert left.left < 0
    left.renew()
    assert left.left == 30.0


def test_silence_is_not_waited_for(pair: tuple[PatientSocket, socket.socket]) -> None:
    began = time.monotonic()
    with pytest.raises(ClientTooSlowError):
        pair[0].recv(10)
    assert 0.2 < time.monotonic() - began < 1.0


def test_reader_that_takes_nothing_is_not_waited_for(pair: tuple[PatientSocket, socket.socket]) -> None:
    with pytest.raises(ClientTooSlowError):
        pair[0].sendall(b"x" * 1_000_000)


@pytest.mark.parametrize("is_fast", [True, False])
def test_reader_is_served_as_long_as_it_keeps_to_the_rate(
    pair: tuple[PatientSocket, socket.socket], *, is_fast: bool
) -> None:
    ours, theirs = pair
    ours.sending = Patience(0.5, 20_000 if is_fast else 2_000_000)
    is_over = threading.Event()

    def sip() -> None:
        while not is_over.wait(0.05) and theirs.recv(8192):
            pass

    reader = threading.Thread(target=sip)
    reader.start()
    try:
        if is_fast:
            ours.sendall(b"x" * 160_000)  # about 1 s, twice the patience
        else:
            with pytest.raises(ClientTooSlowError):
                ours.sendall(b"x" * 1_000_000)
    finally:
        is_over.set()
        ours.close()
        reader.join()


def test_client_that_hung_up_is_told_apart(pair: tuple[PatientSocket, socket.socket]) -> None:
    pair[1].close()
    with pytest.raises(ClientGoneError):
        pair[0].sendall(b"x" * 1_000_000)
