"""``pulsegate account certificate``, and what ``account list`` says of it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model import certificates
from pulsegate.cli.commands import app
from pulsegate.errors import PulsegateError

SUBJECT = r"CN=esa1,OU=Mail+UID=7,O=Example\, Inc.,C=DE"


@pytest.fixture
def pulsegate(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    install: Callable[[Path], str],
) -> Iterator[Callable[..., str]]:
    """Run a command in this process, on a database of the test's, where an account esa is; gives its output."""
    install(tmp_path / "data")
    handlers = logging.root.handlers[:]

    def run(*words: str, stdin: str = "") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        app(list(words), standalone_mode=False)
        return capsys.readouterr().out

    run("account", "add", "esa", "--read", "*", "--password-stdin", stdin="word\n")
    yield run
    logging.root.handlers[:] = handlers


def listed(pulsegate: Callable[..., str]) -> list[str]:
    (one,) = json.loads(pulsegate("account", "list", "--json"))
    assert list(one) == ["name", "admin", "read", "write", "certificates", "role", "disabled"]
    return list(one["certificates"])


def test_certificates_are_given_listed_and_taken_away(pulsegate, tmp_path: Path) -> None:
    (tmp_path / "esa1.pem").write_text(certificates.MANY_NAMES)
    given = pulsegate("account", "certificate", "esa", "--file", "esa1.pem")
    assert given == f"Account esa has the certificate {SUBJECT}.\n"
    pulsegate("account", "certificate", "esa", "--subject", "cn=esa2, o=Example")
    assert listed(pulsegate) == [SUBJECT, "CN=esa2,O=Example"]
    table = pulsegate("account", "list")
    assert SUBJECT in table
    assert "CN=esa2,O=Example" in table
    taken = pulsegate("account", "certificate", "esa", "--file", "esa1.pem", "--remove")
    assert taken == f"Account esa has no longer the certificate {SUBJECT}.\n"
    assert listed(pulsegate) == ["CN=esa2,O=Example"]


def test_certificate_in_a_file_is_found_among_others_and_as_der(pulsegate, tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    (tmp_path / "both.pem").write_text("Subject: x\n" + key + certificates.MANY_NAMES + certificates.OTHER_ALPHABETS)
    pulsegate("account", "certificate", "esa", "--file", "both.pem")
    assert listed(pulsegate) == [SUBJECT]
    pulsegate("account", "certificate", "esa", "--file", "both.pem", "--remove")
    (tmp_path / "esa1.der").write_bytes(certificates.der(certificates.MANY_NAMES))
    pulsegate("account", "certificate", "esa", "--file", "esa1.der")
    assert listed(pulsegate) == [SUBJECT]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--file", "none.pem"], 1, "none.pem: can't be read: No such file or directory. Check the path"),
        (["--file", "."], 1, ".: can't be read: Is a directory. Check the path"),
        (["--file", "key.pem"], 1, "key.pem: is no certificate (X.509). Name a file with the client's certificate"),
        (["--file", "cut.pem"], 1, "cut.pem: is no certificate (X.509). Name a file with the client's certificate"),
        (["--file", "empty.pem"], 1, "empty.pem: is a certificate without a subject. Name a file with the client's"),
        (["--subject", "esa1"], 1, "esa: 'esa1' is no subject of a certificate. Write it as CN=esa1,O=Example"),
        (["--subject", ""], 1, "esa: '' is no subject of a certificate. Write it as CN=esa1,O=Example"),
        (["--subject", "CN=a", "--remove"], 1, "esa: has no certificate CN=a. 'pulsegate account list' shows"),
        (
            ["--subject", "CN=a", "--file", "key.pem"],
            2,
            "no certificate is named, or two. Name it with --subject or with --file",
        ),
        ([], 2, "no certificate is named, or two. Name it with --subject or with --file"),
    ],
)
def test_certificate_that_can_not_be_given_is_told(
    pulsegate, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    (tmp_path / "cut.pem").write_text(certificates.MANY_NAMES[:300] + "\n-----END CERTIFICATE-----\n")
    (tmp_path / "empty.pem").write_text(certificates.NO_SUBJECT)
    with pytest.raises(PulsegateError) as caught:
        pulsegate("account", "certificate", "esa", *words)
    assert str(caught.value).startswith(said)
    assert caught.value.exit_code == code
    assert listed(pulsegate) == []


# --- Roles, and accounts that are disabled ---------------------------------------------------------------------------


def states(pulsegate: Callable[..., str]) -> dict[str, tuple[bool, str | None, bool]]:
    found = json.loads(pulsegate("account", "list", "--json"))
    return {one["name"]: (one["admin"], one["role"], one["disabled"]) for one in found}


def test_roles_are_given_and_taken(pulsegate) -> None:
    pulsegate("account", "add", "vera", "--role", "viewer", "--password-stdin", stdin="word\n")
    pulsegate("account", "add", "ann", "--role", "admin", "--password-stdin", stdin="word\n")
    assert states(pulsegate) == {
        "ann": (True, "admin", False), "esa": (False, None, False), "vera": (False, "viewer", False),
    }  # fmt: skip
    assert pulsegate("account", "role", "vera", "curator") == "Account vera: curator.\n"
    pulsegate("account", "role", "esa", "viewer")
    pulsegate("account", "role", "esa", "none")
    assert states(pulsegate)["vera"] == (False, "curator", False)
    assert states(pulsegate)["esa"] == (False, None, False)
    done = [(one["action"], one["subject"]) for one in json.loads(pulsegate("audit", "--json"))]
    assert done[:3] == [("account.role", "esa"), ("account.role", "esa"), ("account.role", "vera")]


def test_account_is_disabled_and_enabled(pulsegate) -> None:
    assert pulsegate("account", "disable", "esa") == "Account esa is disabled.\n"
    pulsegate("account", "disable", "esa")
    assert states(pulsegate)["esa"] == (False, None, True)
    assert "yes" in pulsegate("account", "list")
    assert pulsegate("account", "enable", "esa") == "Account esa is enabled.\n"
    assert states(pulsegate)["esa"] == (False, None, False)
    done = [one["action"] for one in json.loads(pulsegate("audit", "--json"))]
    assert done == ["account.enable", "account.disable", "account.add"]  # what changed nothing has no record


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["role", "esa", "emperor"], 2, "emperor: there is no such role. There are: viewer, curator, admin, none"),
        (["role", "nobody", "viewer"], 1, "nobody: there is no such account."),
        (["disable", "nobody"], 1, "nobody: there is no such account."),
    ],
)
def test_change_of_an_account_that_is_none_is_told(pulsegate, words: list[str], code: int, said: str) -> None:
    with pytest.raises(PulsegateError) as caught:
        pulsegate("account", *words)
    assert str(caught.value).startswith(said)
    assert caught.value.exit_code == code


def test_rights_are_taken_back_as_they_are_given(pulsegate) -> None:
    def rights() -> tuple[list[str], list[str]]:
        (one,) = json.loads(pulsegate("account", "list", "--json"))
        return one["read"], one["write"]

    pulsegate("account", "grant", "esa", "--read", "subscribed", "--write", "*")
    assert rights() == (["*", "subscribed"], ["*"])
    pulsegate("account", "revoke", "esa", "--write", "*")
    assert rights() == (["*", "subscribed"], [])
    pulsegate("account", "revoke", "esa", "*", "--read", "subscribed", "--write", "subscribed")
    assert rights() == ([], [])
    with pytest.raises(PulsegateError, match="nothing to revoke"):
        pulsegate("account", "revoke", "esa")
