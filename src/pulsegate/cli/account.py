"""``pulsegate account``: who may poll what."""

from __future__ import annotations

import base64
import binascii
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pulsegate.cli.options import account, installation
from pulsegate.cli.output import AsJSON, people, print_json, print_table
from pulsegate.cli.setup import Installation, prepare
from pulsegate.errors import AccountError, UsageError
from pulsegate.model.role import Role
from pulsegate.model.subject import subject_of_certificate
from pulsegate.store import accounts, audit, collections
from pulsegate.store.accounts import EVERY, READ, WRITE, Account, rights
from pulsegate.store.database import Connection

app = typer.Typer(no_args_is_help=True, help="Accounts: who may poll what.")

Name = Annotated[str, typer.Argument(help="The account's name.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Read = Annotated[
    list[str] | None, typer.Option("--read", metavar="COLLECTION", help="A collection it may poll; '*' for all.")
]
Write = Annotated[
    list[str] | None, typer.Option("--write", metavar="COLLECTION", help="A collection it may push to; '*' for all.")
]

_PEM = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----\s+(.*?)-----END ", re.DOTALL)


@app.command()
def add(
    context: typer.Context,
    name: Name,
    password_stdin: FromStdin = False,
    read: Read = None,
    write: Write = None,
    admin: Annotated[bool, typer.Option("--admin", help="May read and write everything.")] = False,
    role: Annotated[
        Role | None, typer.Option("--role", help="What it may do on the pages at /admin/; default: it has no access.")
    ] = None,
) -> None:
    """Add an account; without --password-stdin a password is generated and printed."""
    where = installation(context)
    prepare(where)  # so that rights to the collections that there always are can be given before the first start
    password = _password(password_stdin)
    with where.database.write() as connection:
        accounts.add(connection, name, password, is_admin=admin)
        if role is not None and not admin:
            accounts.set_role(connection, name, role)
        _grant(connection, name, read, write)
        _record(connection, "account.add", name)
    people.print(f"Account {name} is added.", markup=False)
    if not password_stdin:
        people.print(f"Its password, shown this once: {password}", markup=False)


@app.command()
def password(context: typer.Context, name: Name, password_stdin: FromStdin = False) -> None:
    """Give an account a new password; without --password-stdin one is generated and printed."""
    where = installation(context)
    new = _password(password_stdin)
    with where.database.write() as connection:
        accounts.set_password(connection, name, new)
        audit.record(connection, account(), "account.password", name)
    people.print(f"Account {name} has a new password.", markup=False)
    if not password_stdin:
        people.print(f"It is shown this once: {new}", markup=False)


@app.command("role")
def role_(
    context: typer.Context,
    name: Name,
    role: Annotated[str, typer.Argument(help="viewer, curator, admin, or none: no access to the pages.")],
) -> None:
    """Say what an account may do on the pages at /admin/: viewer, curator, admin or none."""
    if role not in (*Role, "none"):
        raise UsageError("there is no such role", resource=role, hint=f"There are: {', '.join(Role)}, none")
    where = installation(context)
    _change(where, name, "account.role", lambda connection: accounts.set_role(connection, name, _role(role)))
    people.print(f"Account {name}: {role}.", markup=False)


@app.command()
def disable(context: typer.Context, name: Name) -> None:
    """Let an account neither poll nor log in; 'enable' takes it back."""
    _change(installation(context), name, "account.disable", lambda connection: accounts.disable(connection, name))
    people.print(f"Account {name} is disabled.", markup=False)


@app.command()
def enable(context: typer.Context, name: Name) -> None:
    """Let an account that was disabled poll and log in again."""
    _change(installation(context), name, "account.enable", lambda connection: accounts.enable(connection, name))
    people.print(f"Account {name} is enabled.", markup=False)


@app.command()
def grant(context: typer.Context, name: Name, read: Read = None, write: Write = None) -> None:
    """Let an account read or write collections."""
    if not read and not write:
        raise UsageError("nothing to grant", hint="Name a collection with --read or --write; '*' means all")
    where = installation(context)
    prepare(where)
    _change(where, name, "account.grant", lambda connection: _grant(connection, name, read, write))
    people.print(f"Account {name}: granted.", markup=False)


@app.command()
def revoke(
    context: typer.Context,
    name: Name,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="COLLECTION…", help="Collections; '*' for the right to all.")
    ] = None,
    read: Annotated[
        list[str] | None, typer.Option("--read", metavar="COLLECTION", help="The same; who can't read can't write.")
    ] = None,
    write: Annotated[
        list[str] | None, typer.Option("--write", metavar="COLLECTION", help="Take only the right to push to it.")
    ] = None,
) -> None:
    """Take an account's rights to collections back."""
    whole = list(dict.fromkeys([*(names or ()), *(read or ())]))
    if not whole and not write:
        raise UsageError("nothing to revoke", hint="Name a collection; '*' is the right to all")

    def take_back(connection: Connection) -> None:
        for collection in whole:
            accounts.revoke(connection, name, collection)
        for collection in set(write or ()) - set(whole):
            accounts.revoke_writing(connection, name, collection)

    _change(installation(context), name, "account.revoke", take_back)
    people.print(f"Account {name}: revoked.", markup=False)


@app.command()
def certificate(
    context: typer.Context,
    name: Name,
    subject: Annotated[str | None, typer.Option("--subject", help="The subject, such as 'CN=esa1,O=Example'.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A file (PEM) with the certificate itself.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the certificate away from the account.")] = False,
) -> None:
    """Let a client certificate be an account, or take it away; clients need no password with it."""
    if (subject is None) == (file is None):
        raise UsageError("no certificate is named, or two", hint="Name it with --subject or with --file, one of them")
    wanted = _subject_of(file) if file is not None else subject or ""
    change = accounts.remove_certificate if remove else accounts.add_certificate
    where = installation(context)
    with where.database.write() as connection:
        normal = change(connection, name, wanted)
        told: dict[str, Any] = {"before" if remove else "after": {"certificate": normal}}
        audit.record(connection, account(), f"account.certificate-{'remove' if remove else 'add'}", name, **told)
    done = "has no longer" if remove else "has"
    people.print(f"Account {name} {done} the certificate {normal}.", markup=False)


@app.command("list")
def list_(context: typer.Context, as_json: AsJSON = False) -> None:
    """List the accounts and their rights."""
    where = installation(context)
    with where.database.read() as connection:
        every, certificates = accounts.every(connection), accounts.certificates(connection)
    if as_json:
        print_json([_json(one, certificates.get(one.id, [])) for one in every])
        return
    rows = [
        (
            one.name,
            "yes" if one.is_admin else "",
            one.role or "",
            "yes" if one.disabled else "",
            rights(one, READ),
            rights(one, WRITE),
            "\n".join(certificates.get(one.id, [])),
        )
        for one in every
    ]
    print_table(
        ("account", "admin", "role", "disabled", "reads", "writes", "certificates"),
        rows,
        empty="No account yet: 'pulsegate account add NAME'.",
    )


@app.command()
def remove(context: typer.Context, name: Name) -> None:
    """Remove an account."""
    where = installation(context)
    with where.database.write() as connection:
        before = _rights_now(connection, name)
        accounts.remove(connection, name)
        audit.record(connection, account(), "account.remove", name, before=before)
    people.print(f"Account {name} is removed.", markup=False)


def _rights_now(connection: Connection, name: str) -> dict[str, Any]:
    """What the account may do, for the record of changes: never its password, nor a hash of it."""
    return accounts.recorded(accounts.get(connection, name))


def _record(connection: Connection, action: str, name: str, before: dict[str, Any] | None = None) -> None:
    after = _rights_now(connection, name)
    if before != after:
        audit.record(connection, account(), action, name, before=before, after=after)


def _change(where: Installation, name: str, action: str, change: Callable[[Connection], None]) -> None:
    with where.database.write() as connection:
        before = _rights_now(connection, name)
        change(connection)
        _record(connection, action, name, before)


def _role(text: str) -> Role | None:
    return None if text == "none" else Role(text)


def _password(from_stdin: bool) -> str:
    if not from_stdin:
        return accounts.new_password()
    text = sys.stdin.readline()
    return text.removesuffix("\n").removesuffix("\r")


def _subject_of(file: Path) -> str:
    """The subject of the first certificate in a file (PEM, or DER), as RFC 4514 writes it."""
    try:
        content = file.read_bytes()
        found = _PEM.search(content)
        return subject_of_certificate(base64.b64decode(found[1]) if found else content)
    except OSError as error:
        raise AccountError(f"can't be read: {error.strerror}", resource=str(file), hint="Check the path") from error
    except ValueError as error:
        reason = "is no certificate (X.509)" if isinstance(error, binascii.Error) else str(error)
        raise AccountError(
            reason, resource=str(file), hint="Name a file with the client's certificate (PEM)"
        ) from error


def _grant(connection: Any, name: str, read: list[str] | None, write: list[str] | None) -> None:
    known = {stored.collection.name for stored in collections.every(connection)}
    for right, names in ((READ, read or ()), (WRITE, write or ())):
        for collection in names:
            if collection != EVERY and collection not in known and not collection.startswith("user_"):
                raise AccountError(
                    f"there is no collection {collection}", resource=name, hint="'pulsegate collection list' shows them"
                )
            accounts.grant(connection, name, collection, right)


def _json(one: Account, certificates: list[str]) -> dict[str, Any]:
    return {
        "name": one.name,
        "admin": one.is_admin,
        "read": rights(one, READ).split(", ") if rights(one, READ) else [],
        "write": rights(one, WRITE).split(", ") if rights(one, WRITE) else [],
        "certificates": certificates,
        "role": one.role,
        "disabled": one.disabled is not None,
    }
