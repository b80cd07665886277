"""Accounts and their rights."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from pulsegate.errors import AccountError
from pulsegate.store import accounts
from pulsegate.store.accounts import EVERY, READ, WRITE, Account
from pulsegate.store.tables import account_rights

pytestmark = pytest.mark.usefixtures("quick_passwords")


@pytest.fixture
def connection(database):
    with database.write() as connection:
        yield connection


def rights(account, *collections):
    return [(account.can_read(name), account.can_modify(name)) for name in collections]


def fault(function, *args):
    with pytest.raises(AccountError) as caught:
        function(*args)
    return str(caught.value)


def test_account_by_default_may_nothing(connection):
    made = accounts.add(connection, "someone", "word")
    assert made == Account(made.id, "someone", is_admin=False, permissions={}, reads_all=False, writes_all=False)
    assert rights(made, "a") == [(False, False)]
    assert accounts.by_id(connection, made.id) == accounts.find(connection, "someone") == made
    assert accounts.by_id(connection, made.id + 1) is None
    assert accounts.find(connection, "Someone") is None


def test_admin_may_everything(connection):
    assert rights(accounts.add(connection, "admin", "word", is_admin=True), "a") == [(True, True)]


@pytest.mark.parametrize("name", ["gateway", "müller", "名前", "a b", "a@b", "o'brien", "😀", "x" * 256, '"; --'])
def test_name_that_can_be_used(connection, name):
    accounts.add(connection, name, "word")
    found = accounts.verify(connection, name, "word")
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("name", ["", "a:b", ":", "a\nb", "a\0", "\ud800", "x" * 257])
def test_name_that_can_not_be_sent_or_stored(connection, name):
    message = fault(accounts.add, connection, name, "word")
    assert message == f"{name!r}: is no usable account name. Use printable characters, no colon"


def test_name_that_is_taken(connection):
    accounts.add(connection, "someone", "word")
    assert fault(accounts.add, connection, "someone", "other") == (
        "someone: exists already. Use 'pulsegate account password someone'"
    )


def test_password_that_is_empty(connection):
    assert fault(accounts.add, connection, "someone", "") == "someone: an empty password is not accepted"
    accounts.add(connection, "someone", "word")
    assert fault(accounts.set_password, connection, "someone", "") == "someone: an empty password is not accepted"
    assert accounts.verify(connection, "someone", "") is None


@pytest.mark.parametrize("password", ["word", "a:b", " word ", "wörd 😀", "x" * 1000, "a\0b"])
def test_password_is_verified_to_the_letter(connection, password):
    made = accounts.add(connection, "someone", password)
    assert accounts.verify(connection, "someone", password) == made
    assert accounts.verify(connection, "someone", password + "x") is None
    assert accounts.verify(connection, "someone", password[:-1]) is None
    assert accounts.verify(connection, "someone", password.swapcase() + " ") is None


def test_password_of_nobody(connection):
    assert accounts.verify(connection, "nobody", "word") is None


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_name_that_no_account_can_have_is_not_verified(connection, name):
    assert accounts.verify(connection, name, "word") is None


def test_password_is_replaced(connection):
    accounts.add(connection, "someone", "old")
    accounts.set_password(connection, "someone", "new")
    assert accounts.verify(connection, "someone", "old") is None
    assert accounts.verify(connection, "someone", "new") is not None


def test_password_is_stored_as_opentaxii_reads_it(connection):
    from opentaxii.auth.sqldb.models import Account as StockAccount
    from sqlalchemy.orm import Session

    accounts.add(connection, "someone", "word")
    accounts.grant(connection, "someone", "a", READ)
    with Session(connection) as session:
        (found,) = session.query(StockAccount)
        assert (found.is_password_valid("word"), found.is_password_valid("other")) == (True, False)
        assert (found.username, found.permissions, found.is_admin) == ("someone", {"a": "read"}, False)


def test_grant_of_collections(connection):
    accounts.add(connection, "someone", "word")
    accounts.grant(connection, "someone", "a", READ)
    accounts.grant(connection, "someone", "b", WRITE)
    found = accounts.get(connection, "someone")
    assert found.permissions == {"a": "read", "b": "modify"}
    assert rights(found, "a", "b", "c") == [(True, False), (True, True), (False, False)]


def test_grant_never_takes_away(connection):
    accounts.add(connection, "someone", "word")
    for right in (READ, WRITE, READ):
        accounts.grant(connection, "someone", "a", right)
    accounts.grant(connection, "someone", EVERY, WRITE)
    accounts.grant(connection, "someone", EVERY, READ)
    found = accounts.get(connection, "someone")
    assert (found.permissions, found.reads_all, found.writes_all) == ({"a": "modify"}, True, True)


def test_grant_of_every_collection(connection):
    accounts.add(connection, "someone", "word")
    accounts.grant(connection, "someone", EVERY, READ)
    assert rights(accounts.get(connection, "someone"), "a", "to come") == [(True, False)] * 2
    accounts.grant(connection, "someone", EVERY, WRITE)
    assert rights(accounts.get(connection, "someone"), "a", "to come") == [(True, True)] * 2


def test_revoke_of_a_collection(connection):
    accounts.add(connection, "someone", "word")
    accounts.grant(connection, "someone", "a", WRITE)
    accounts.grant(connection, "someone", "b", READ)
    accounts.revoke(connection, "someone", "a")
    assert accounts.get(connection, "someone").permissions == {"b": "read"}


def test_revoke_of_every_collection_leaves_those_that_were_named(connection):
    accounts.add(connection, "someone", "word")
    accounts.grant(connection, "someone", "a", READ)
    accounts.grant(connection, "someone", EVERY, WRITE)
    accounts.revoke(connection, "someone", EVERY)
    found = accounts.get(connection, "someone")
    assert (found.permissions, found.reads_all, found.writes_all) == ({"a": "read"}, False, False)


def test_revoke_of_writing_leaves_reading(connection):
    accounts.add(connection, "someone", "word")
    accounts.grant(connection, "someone", "a", WRITE)
    accounts.grant(connection, "someone", EVERY, WRITE)
    accounts.revoke_writing(connection, "someone", "a")
    accounts.revoke_writing(connection, "someone", EVERY)
    found = accounts.get(connection, "someone")
    assert (found.permissions, found.reads_all, found.writes_all) == ({"a": "read"}, True, False)
    for name in ("a", EVERY):
        assert fault(accounts.revoke_writing, connection, "someone", name) == (
            f"someone: has no right of its own to {name}"
        )


def test_revoke_of_what_was_not_granted(connection):
    accounts.add(connection, "someone", "word")
    assert fault(accounts.revoke, connection, "someone", "a") == "someone: has no right of its own to a"


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (accounts.get, ()),
        (accounts.remove, ()),
        (accounts.set_password, ("x",)),
        (accounts.grant, ("a", READ)),
        (accounts.revoke, ("a",)),
    ],
)
def test_account_that_is_not_there(connection, function, args):
    message = fault(function, connection, "nobody", *args)
    assert message == "nobody: there is no such account. 'pulsegate account list' shows them"


def test_account_that_is_removed_takes_its_rights_with_it(connection):
    accounts.add(connection, "someone", "word")
    accounts.grant(connection, "someone", EVERY, READ)
    accounts.remove(connection, "someone")
    assert accounts.find(connection, "someone") is None
    assert connection.execute(sa.select(account_rights)).all() == []
    accounts.add(connection, "someone", "word")
    assert rights(accounts.get(connection, "someone"), "a") == [(False, False)]


def test_accounts_are_listed_by_name(connection):
    for name in ("c", "a", "b"):
        accounts.add(connection, name, "word")
    accounts.grant(connection, "b", EVERY, READ)
    assert [(one.name, one.reads_all) for one in accounts.every(connection)] == [
        ("a", False),
        ("b", True),
        ("c", False),
    ]


def test_stored_account_comes_with_its_hash_in_one_query(connection):
    made = accounts.add(connection, "someone", "word")
    accounts.grant(connection, "someone", EVERY, READ)
    statements = []
    sa.event.listen(connection, "before_cursor_execute", lambda *args: statements.append(args[2]))
    by_name = accounts.stored_by_name(connection, "someone")
    assert len(statements) == 1
    assert accounts.stored_by_id(connection, made.id) == by_name
    assert by_name.account == accounts.get(connection, "someone")
    assert (accounts.fits(by_name, "word"), accounts.fits(by_name, "other")) == (True, False)
    assert by_name.password_hash not in repr(by_name)


def test_password_that_no_one_can_send_fits_nothing(connection):
    accounts.add(connection, "someone", "word")
    stored = accounts.stored_by_name(connection, "someone")
    assert accounts.fits(stored, "\ud800") is False
    assert accounts.fits(None, "\ud800") is False


def test_name_that_does_not_exist_costs_a_hash_too(connection, monkeypatch):
    accounts.add(connection, "someone", "word")
    checked = []
    real = accounts.check_password_hash
    monkeypatch.setattr(accounts, "check_password_hash", lambda *args: checked.append(args[0][:6]) or real(*args))
    accounts.verify(connection, "someone", "wrong")
    accounts.verify(connection, "nobody", "wrong")
    accounts.verify(connection, "a\0b", "wrong")
    assert len(checked) == 3


def test_certificate_is_an_account_in_any_writing(connection):
    made = accounts.add(connection, "someone", "word")
    accounts.grant(connection, "someone", EVERY, READ)
    assert accounts.add_certificate(connection, "someone", "cn=esa1, O=Example") == "CN=esa1,O=Example"
    found = accounts.by_certificate(connection, "2.5.4.3=esa1,O=Example")
    assert found == accounts.get(connection, "someone")
    assert accounts.by_certificate(connection, "O=Example,CN=esa1") is None
    assert accounts.certificates(connection) == {made.id: ["CN=esa1,O=Example"]}


@pytest.mark.parametrize("subject", ["", "nonsense", "CN=a\0", "CN=\ud800", "CN=\\00", "CN=" + "x" * 600])
def test_subject_that_nobody_has_is_nobody(connection, subject):
    assert accounts.by_certificate(connection, subject) is None


def test_account_may_have_several_certificates_and_the_same_one_twice(connection):
    made = accounts.add(connection, "someone", "word")
    for subject in ("CN=b", "CN=a", "CN=b"):
        accounts.add_certificate(connection, "someone", subject)
    assert accounts.certificates(connection) == {made.id: ["CN=a", "CN=b"]}


def test_certificate_of_another_account_is_not_taken_over(connection):
    accounts.add(connection, "someone", "word")
    other = accounts.add(connection, "other", "word")
    accounts.add_certificate(connection, "other", "CN=a")
    assert fault(accounts.add_certificate, connection, "someone", "CN=a") == (
        "someone: the certificate CN=a is the account other's. "
        "Take it away there first: 'pulsegate account certificate other … --remove'"
    )
    assert accounts.by_certificate(connection, "CN=a") == other


def test_certificate_is_taken_away(connection):
    accounts.add(connection, "someone", "word")
    accounts.add(connection, "other", "word")
    accounts.add_certificate(connection, "someone", "CN=a")
    assert fault(accounts.remove_certificate, connection, "other", "CN=a") == (
        "other: has no certificate CN=a. 'pulsegate account list' shows those it has"
    )
    accounts.remove_certificate(connection, "someone", "cn = a")
    assert accounts.by_certificate(connection, "CN=a") is None


def test_certificate_goes_with_its_account(connection):
    accounts.add(connection, "someone", "word")
    accounts.add_certificate(connection, "someone", "CN=a")
    accounts.remove(connection, "someone")
    assert accounts.by_certificate(connection, "CN=a") is None
    accounts.add(connection, "other", "word")
    assert accounts.certificates(connection) == {}


@pytest.mark.parametrize("function", [accounts.add_certificate, accounts.remove_certificate])
def test_certificate_that_can_not_be_is_told(connection, function):
    accounts.add(connection, "someone", "word")
    assert fault(function, connection, "someone", "esa1") == (
        "someone: 'esa1' is no subject of a certificate. Write it as CN=esa1,O=Example"
    )
    assert fault(function, connection, "someone", "CN=" + "x" * 498) == (
        "someone: a subject has at most 500 characters. Use another one"
    )
    assert fault(function, connection, "nobody", "CN=a").startswith("nobody: there is no such account")
