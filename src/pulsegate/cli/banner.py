"""What an administrator needs to know when the server starts."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog

from pulsegate.cli import certificate, secrecy, tls
from pulsegate.cli.esa import PREFERRED, print_form, source_form
from pulsegate.cli.feeding import pulls
from pulsegate.cli.output import people
from pulsegate.cli.programs import command, program
from pulsegate.cli.setup import ADMIN, GATEWAY, Installation
from pulsegate.settings import Settings
from pulsegate.store import collections
from pulsegate.store.collections import Size

log = structlog.get_logger(__name__)

PATIENCE = {True: 20.0, False: 5.0}  # seconds to wait for the first pull (of the demo, of OTX) before this is printed
_START = time.monotonic()


def starting(where: Installation) -> None:
    """Say at once what is going to happen, and what is dangerous."""
    for text in _dangers(where.settings):
        people.print(f"\n  *** WARNING: {text} ***", markup=False, style="bold red")
    if where.demo:
        people.print(
            "\n  *** DEMO MODE. These are invented pulses from the built-in OTX simulator, none of them OTX's. ***\n"
            "  *** Nothing of this protects anybody. To pull OTX's, set OTX_API_KEY and start without --demo. ***\n",
            style="bold yellow",
        )
    elif not pulls(where):
        why = "No OTX API key is set" if where.settings.otx.enabled else "otx.enabled is false"
        people.print(f"{why}: serving what is stored, pulling nothing.")


def _dangers(settings: Settings) -> list[str]:
    """Warnings for the screen; the log has them too."""
    found = []
    if settings.is_public and not settings.tls.is_on and not settings.proxies:
        log.warning("tls.off", host=settings.host, hint="set tls.certificate and tls.key, or proxies that speak HTTPS")
        found.append("this is plain HTTP; passwords and the feed travel in the clear. Set tls.certificate and tls.key.")
    if settings.tls.certificate is not None:
        reason = tls.complaint(tls.context(settings.tls), settings.tls.certificate)
        if reason is not None:
            log.warning("tls.certificate_useless", certificate=str(settings.tls.certificate), reason=reason)
            found.append(f"clients will refuse the certificate {settings.tls.certificate}: {reason}.")
        elif (end := tls.end(settings.tls.certificate)) is not None:
            told = certificate.complaint(settings.tls.certificate, end, datetime.now(UTC))
            found += [told] if told is not None else []
    return [*found, *map(str, secrecy.warn(settings))]


def ready(where: Installation, passwords: Mapping[str, str | None]) -> bool:
    """Print the address, the passwords and the collections; false while the first pull may soon have filled them."""
    with where.database.read() as connection:
        sizes = dict(collections.sizes(connection))
    where.database.close()  # gunicorn may fork another server process later on
    filling = pulls(where) and not all(size.opened for size in sizes.values())
    if filling and time.monotonic() - _START < PATIENCE[where.demo]:
        return False
    _print(where, passwords, sizes)
    return True


def _print(where: Installation, passwords: Mapping[str, str | None], sizes: Mapping[str, Size]) -> None:
    people.print(f"Pulsegate serves TAXII 1.1 at {_address(where)}", markup=False, style="bold")
    people.print(f"  database: {where.database.name}", markup=False)
    if where.settings.pages.enabled:
        people.print(f"  administration: {_address(where)}/admin/ (log in as {ADMIN})", markup=False)
    _print_passwords(passwords)
    people.print("\nCollections (indicators):")
    for name, size in sizes.items():
        people.print(f"  {name} ({size.indicators:,})" + ("" if size.opened else ", being filled"), markup=False)
    name = _best(sizes)
    people.print("\nCisco Secure Email Gateway: Mail Policies > External Threat Feeds Manager > Add Source")
    form = source_form(where, PREFERRED if PREFERRED in sizes else name)
    if passwords.get(GATEWAY):
        form["Password"] = "the one above"  # noqa: S105 - it is said where to look
    print_form(form)
    people.print("\nTo look at a feed:")
    people.print("  " + poll_line(where, name, passwords.get(GATEWAY)), markup=False)
    if passwords.get(GATEWAY) is None:
        people.print(f"  (PASSWORD is {form['Password']})", markup=False)
    people.print(f"\n'{command(where, 'status')}' says how the pulls go. Stop with Ctrl-C.", markup=False)
    sys.stdout.flush()


def _print_passwords(passwords: Mapping[str, str | None]) -> None:
    if not passwords:
        return
    people.print("\nAccounts, made now; these passwords are not shown again:", style="bold")
    for name, password in passwords.items():
        what = "administrator" if name == ADMIN else "for the appliances: reads everything, writes nothing"
        people.print(f"  {name:<10}{password or '(as you have set it)':<26}{what}", markup=False)


def poll_line(where: Installation, collection: str, password: str | None) -> str:
    """A ``taxii-poll`` command that works as it stands (with the password filled in where it is not known)."""
    words = [
        program("taxii-poll"), "--path", f"{_address(where)}/taxii/poll", "--collection", collection,
        "--username", GATEWAY, "--password", password or "PASSWORD",
    ]  # fmt: skip
    return shlex.join(words)


def _best(sizes: Mapping[str, Size]) -> str:
    """The collection to try first: an author's own with something in it, as in the Cisco document."""
    filled = [name for name, size in sizes.items() if size.indicators and name.startswith("user_")]
    return "user_AlienVault" if "user_AlienVault" in filled else next(iter(filled), "subscribed")


def _address(where: Installation) -> str:
    """By which this machine reaches the server; with TLS by the name that the certificate is for, where it is set."""
    found = where.settings
    if found.tls.is_on and found.domain is not None:
        return found.public_address
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(found.host, found.host)  # noqa: S104 - nothing is bound
    scheme = "https" if found.tls.is_on else "http"
    return f"{scheme}://[{host}]:{found.port}" if ":" in host else f"{scheme}://{host}:{found.port}"
