"""Accounts as an administrator makes them and cabby's programs use them, with ``pulsegate serve`` as a process."""

from __future__ import annotations

import base64
import http.client
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from support import BIN

PASSWORD = "a-long-password-of-the-test"
QUIET = {"PULSEGATE_OTX__ENABLED": "false"}


def cabby(program: str, server: Any, path: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [BIN / program, "--path", server.address + path, "--username", "gateway", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def ask(server: Any, password: str) -> int:
    """The HTTP status of a request that needs an account, and nothing else."""
    answer = requests.options(f"{server.address}/taxii/poll", auth=("gateway", password), timeout=20)
    return answer.status_code


def token(server: Any, password: str) -> str:
    given = {"username": "gateway", "password": password}
    return str(requests.post(f"{server.address}/management/auth", json=given, timeout=20).json()["token"])


def bearer(server: Any, value: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {value}"}
    return requests.options(f"{server.address}/taxii/poll", headers=headers, timeout=20)


def test_clients_that_speak_jwt_are_served(serve) -> None:
    with serve("--no-worker", **QUIET) as server:
        server.wait_for("To look at a feed:")
        password = server.password("gateway")
        login = ("--jwt-auth", f"{server.address}/management/auth")
        listed = cabby("taxii-collections", server, "/taxii/collections", "--password", password, *login)
        assert "Collection Name: subscribed" in listed.stdout, listed.stderr
        words = ("--password", password, "--collection", "subscribed", *login)
        polled = cabby("taxii-poll", server, "/taxii/poll", *words)
        assert polled.returncode == 0
        assert "0 blocks polled" in polled.stderr
        wrong = cabby("taxii-collections", server, "/taxii/collections", "--password", "wrong", *login)
        assert "401" in wrong.stderr
        assert wrong.stdout == ""
        assert not any(secret in server.output for secret in ("wrong,", "Bearer", token(server, password)))


def test_token_life_is_in_seconds(serve) -> None:
    with serve("--no-worker", **QUIET, PULSEGATE_TAXII__TOKEN_LIFE="3s") as server:
        server.wait_for("To look at a feed:")
        given = token(server, server.password("gateway"))
        assert bearer(server, given).status_code == 200
        time.sleep(4)
        refused = bearer(server, given)
        assert refused.status_code == 401
        assert "UNAUTHORIZED" in refused.text
        assert "Bearer" in refused.headers["WWW-Authenticate"]


def test_new_password_acts_on_the_next_request_of_every_server_process(serve, pulsegate) -> None:
    with serve("--no-worker", "--workers", "2", **QUIET) as server:
        server.wait_for("To look at a feed:")
        old = server.password("gateway")
        assert {ask(server, old) for _ in range(12)} == {200}
        changed = pulsegate("account", "password", "gateway", "--password-stdin", stdin=PASSWORD + "\n")
        assert changed.returncode == 0, changed.stderr
        assert {ask(server, old) for _ in range(6)} == {401}
        assert {ask(server, PASSWORD) for _ in range(12)} == {200}
        assert {ask(server, f"guess {number}") for number in range(30)} == {401, 429}
        assert {ask(server, PASSWORD) for _ in range(6)} == {200}
        assert not any(secret in server.output for secret in (PASSWORD, "guess"))


def from_address(address: str, server: Any, account: str, password: str) -> int:
    """The HTTP status that a request from that loopback address gets."""
    port = int(server.address.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(address, 0))
    value = base64.b64encode(f"{account}:{password}".encode()).decode()
    connection.request("OPTIONS", "/taxii/poll", headers={"Authorization": f"Basic {value}"})
    status = connection.getresponse().status
    connection.close()
    return status


def test_flood_of_wrong_passwords_does_not_starve_who_was_let_in(serve) -> None:
    with serve("--no-worker", **QUIET) as server:
        server.wait_for("To look at a feed:")
        password = server.password("gateway")
        assert ask(server, password) == 200
        ends = time.monotonic() + 5

        def flood(number: int) -> set[int]:
            seen = set()
            for count in range(10**6):
                seen.add(from_address(f"127.0.{1 + count % 200}.{1 + number}", server, f"name{count}", "guess"))
                if time.monotonic() > ends:
                    break
            return seen

        with ThreadPoolExecutor(16) as pool:
            floods = [pool.submit(flood, number) for number in range(16)]
            answers = [ask(server, password) for _ in range(10)]
            seen = set().union(*(one.result() for one in floods))
        assert answers == [200] * 10
        assert 401 in seen
        assert seen <= {401, 503}  # 503 where more than the limit arrive at once
        assert "guess" not in server.output
