"""Sessions of the pages: they end by time, by another password, by disabling, and everywhere at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from pulsegate.errors import AccountError
from pulsegate.model.role import Role
from pulsegate.store import accounts, sessions
from pulsegate.store.sessions import Limits
from pulsegate.store.tables import web_sessions

LIMITS = Limits()


@pytest.fixture
def connection(database, quick_passwords):
    with database.write() as connection:
        accounts.add(connection, "ann", "word", is_admin=True)
        accounts.add(connection, "bob", "word")
        yield connection


def begin(connection, name="ann"):
    return sessions.begin(connection, accounts.stored_by_name(connection, name), "192.0.2.1", "Browser")


def alive(connection, identifier):
    found = sessions.find(connection, identifier, LIMITS)
    return found.account.name if found else None


def age(connection, **columns):
    row = connection.execute(sa.select(web_sessions)).first()
    values = {name: getattr(row, name) - by for name, by in columns.items()}
    connection.execute(sa.update(web_sessions).values(values))


def test_session_is_found_by_its_id_only_and_the_id_is_not_stored(connection):
    identifier = begin(connection)
    assert alive(connection, identifier) == "ann"
    assert alive(connection, identifier + "x") is None
    stored = connection.execute(sa.select(web_sessions)).one()
    assert identifier.encode() not in b"".join(one for one in stored if isinstance(one, bytes))


@pytest.mark.parametrize("columns", [{"seen": timedelta(minutes=31)}, {"created": timedelta(hours=13)}])
def test_session_ends_by_time(connection, columns):
    identifier = begin(connection)
    age(connection, seen=timedelta(minutes=29), created=timedelta(hours=11))
    assert alive(connection, identifier) == "ann"
    assert sessions.is_due(connection, sessions.find(connection, identifier, LIMITS), LIMITS)
    sessions.touch(connection, sessions.find(connection, identifier, LIMITS))
    age(connection, **columns)
    assert alive(connection, identifier) is None
    assert sessions.of_account(connection, accounts.get(connection, "ann").id, LIMITS) == []


def test_another_password_and_disabling_end_the_sessions_of_that_account_only(connection):
    ann, bob = begin(connection), begin(connection, "bob")
    accounts.set_password(connection, "bob", "other")
    assert (alive(connection, ann), alive(connection, bob)) == ("ann", None)
    bob = begin(connection, "bob")
    accounts.disable(connection, "bob")
    assert alive(connection, bob) is None
    accounts.enable(connection, "bob")
    assert alive(connection, bob) == "bob"


def test_logging_out_ends_one_or_all(connection):
    first, second, third, other = begin(connection), begin(connection), begin(connection), begin(connection, "bob")
    sessions.end(connection, first)
    assert [alive(connection, one) for one in (first, second, third)] == [None, "ann", "ann"]
    assert sessions.end_all(connection, accounts.get(connection, "ann").id) == 2
    assert [alive(connection, one) for one in (first, second, third, other)] == [None, None, None, "bob"]


def test_account_has_its_role_and_the_last_administrator_stays(connection):
    assert accounts.get(connection, "ann").role is Role.ADMIN
    assert accounts.get(connection, "bob").role is None
    accounts.set_role(connection, "bob", Role.CURATOR)
    assert accounts.get(connection, "bob").role is Role.CURATOR
    assert not accounts.get(connection, "bob").is_admin
    for change in (accounts.disable, lambda *words: accounts.set_role(*words, Role.VIEWER)):
        with pytest.raises(AccountError, match="is the last administrator"):
            change(connection, "ann")
    accounts.set_role(connection, "bob", Role.ADMIN)
    accounts.set_role(connection, "ann", None)
    assert accounts.get(connection, "ann").role is None
    assert not accounts.get(connection, "ann").can_read("x")
    with pytest.raises(AccountError, match="is the last administrator"):
        accounts.disable(connection, "bob")


def test_roles_cover_those_below():
    assert [[one.covers(other) for other in Role] for one in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]
