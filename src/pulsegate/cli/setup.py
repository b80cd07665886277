"""The composition root: settings, database, policy, first accounts and collections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import structlog

from pulsegate import settings as settings_module
from pulsegate.cli import logs, secrecy
from pulsegate.cli.migrating import back_up_first
from pulsegate.curation.choices import DEFAULTS
from pulsegate.curation.list_choice import ListChoice, require_lists
from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.curation.warning_lists import ListFile
from pulsegate.errors import SettingsError, UsageError
from pulsegate.model.collection import CollectionKind
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.settings import Settings
from pulsegate.settings.lists import ListSettings
from pulsegate.store import accounts, collections, ledger, locks, migrate, state
from pulsegate.store.collections import Origin
from pulsegate.store.database import Database, with_password

log = structlog.get_logger(__name__)

_RESERVED = frozenset({"rfc3849", "rfc5735", "rfc6761"})  # lists of what the demo's pulses are made of
ADMIN, GATEWAY = "admin", "gateway"
DEMO = "demo"  # state key: this database holds the demo's pulses
ACCOUNTS_MADE = "accounts.made"


@dataclass(frozen=True, slots=True)
class Installation:
    """Settings, and the database they name.

    ``demo``: it holds the demo's pulses; ``apart``: because of ``--demo``, which a command needs to find it again.
    """

    settings: Settings
    database: Database
    policy: Policy
    demo: bool
    apart: bool = False


def load_settings(*, demo: bool = False) -> Settings:
    """The settings in force; in demo mode the data lies apart, in DATA_DIR/demo, whatever database is configured."""
    found = settings_module.load()
    logs.in_form(found.log_format)
    if demo:
        apart = {"data_dir": found.data_dir / "demo", "database": None, "database_password_file": None}
        return found.model_copy(update=apart)
    if found.database_password_file is not None:
        password = read_password(found.database_password_file, "database_password_file")
        found = found.model_copy(update={"database": with_password(found.database_url, password)})
    return found


def read_secrets(file: Path, key: str) -> str:
    """The text of a file that the setting ``key`` names."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        hint = "Write it, or let Pulsegate's user read it"
        raise SettingsError(f"{key} can't be read: {reason}", resource=str(file), hint=hint) from error


def read_password(file: Path, key: str) -> str:
    """The password that stands in a file, which has a line end or not. SettingsError: there is none in it."""
    lines = read_secrets(file, key).splitlines()
    if len(lines) != 1 or not lines[0].strip():
        raise SettingsError(f"{key} must hold the password in one line, and nothing else", resource=str(file))
    return lines[0]


def open_installation(
    found: Settings, *, demo: bool = False, upgrade: bool = False, backup: bool = True
) -> Installation:
    """The installation, ready for use: an empty database gets its schema; ``upgrade``: an older one is migrated too.

    What is in an SQLite file is backed up before that, unless ``backup`` is false.
    """
    policy = make_policy(found)
    database = Database(found.database_url)
    try:
        _bring_up_to_date(database, upgrade=upgrade, backup=backup)
        secrecy.keep(database, found.data_dir)
        is_demo = _mark(database, demo=demo)
    except BaseException:
        database.close()
        raise
    if is_demo:
        policy = replace(policy, disabled=frozenset({"reserved-range"}), lists=policy.lists.informing(_RESERVED))
    return Installation(found, database, policy, is_demo, apart=demo)


def _bring_up_to_date(database: Database, *, upgrade: bool, backup: bool) -> None:
    before, newest = migrate.current(database)
    if before is None or upgrade:
        back_up_first(database, wanted=backup)
        before, after = migrate.upgrade(database)
        if before != after:
            log.info("database.migrated", database=database.name, before=before, after=after)
    elif before != newest:
        migrate.require_current(database)


def _mark(database: Database, *, demo: bool) -> bool:
    """Whether the database is the demo's; a fresh one is marked. Demo and real data never meet."""
    with database.read() as connection:
        mark = state.get(connection, DEMO)
    if mark is None:
        with database.write() as connection:
            locks.within(connection, locks.STARTING)
            mark = state.get(connection, DEMO) or ("yes" if demo else "no")  # another host may have been faster
            state.put(connection, DEMO, mark)
    if demo and mark != "yes":
        raise UsageError(
            "holds real data, not the demo's", resource=f"database {database.name}", hint="Leave out --demo"
        )
    return mark == "yes"


def make_policy(found: Settings) -> Policy:
    try:
        own = Own(found.own)
    except ValueError as error:
        raise SettingsError(f"own: {error}") from error
    lists = make_lists(found.warning_lists)
    for one in found.collections:
        require_lists(one.to_model(), lists)
    return Policy(own=own, lists=lists, results_kept=found.results_kept)


def make_lists(found: ListSettings) -> ListChoice:
    """The warning lists that the settings choose. SettingsError for a name that is none."""
    for name in found.modes:
        if name not in DEFAULTS:
            near = get_close_matches(name, DEFAULTS, 1)
            hint = f"Did you mean {near[0]}?" if near else "'pulsegate lists list' shows them"
            raise SettingsError("warning_lists.modes: there is no such list", resource=name, hint=hint)
    for one in found.files:
        if one.name in DEFAULTS:
            raise SettingsError(
                "warning_lists.files: MISP has a list of this name", resource=one.name, hint="Rename it"
            )
    files = [ListFile(one.name, one.file, one.mode, one.title) for one in found.files]
    return ListChoice.of({**DEFAULTS, **found.modes}, files)


def prepare(installation: Installation) -> None:
    """Services, and the collections that the settings name. One that they no longer name stays, and is pointed out.

    One that was added by command is nobody's business here; if the settings name it, it is theirs from now on.
    """
    with installation.database.write() as connection:
        locks.within(connection, locks.STARTING)
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        named = [one.to_model() for one in installation.settings.collections]
        for collection in named:
            collections.put(connection, collection)
        kept = [one.collection for one in collections.every(connection) if one.origin is Origin.SETTINGS]
    own = {one.name for one in kept if one.kind in (CollectionKind.OWN, CollectionKind.INBOX)}
    for name in sorted(own - installation.settings.collection_names):
        log.warning("collection.not_in_settings", collection=name, hint=f"pulsegate collection remove {name}")


def open_collections(installation: Installation) -> None:
    """Let every collection be polled at once: without a source there is no first backfill to wait for."""
    with installation.database.write() as connection:
        for stored in collections.every(connection):
            ledger.open_(connection, stored.collection.name)


def _preset(found: Settings) -> str | None:
    """The first admin's password, where the settings give one."""
    if found.admin_password_file is not None:
        return read_password(found.admin_password_file, "admin_password_file")
    return found.admin_password.get_secret_value() if found.admin_password else None


def make_first_accounts(installation: Installation) -> dict[str, str | None]:
    """The accounts ``admin`` and ``gateway``: names and new passwords, None for a password that was preset.

    They are made once, however many servers start: the one that makes them tells the passwords.
    """
    made: dict[str, str | None] = {}
    with installation.database.write() as connection:
        locks.within(connection, locks.STARTING)
        if state.get(connection, ACCOUNTS_MADE) is not None:
            return made
        preset = _preset(installation.settings)
        password = preset or accounts.new_password()
        if accounts.find(connection, ADMIN) is None:
            accounts.add(connection, ADMIN, password, is_admin=True)
            made[ADMIN] = None if preset else password
        if accounts.find(connection, GATEWAY) is None:
            made[GATEWAY] = accounts.new_password()
            accounts.add(connection, GATEWAY, str(made[GATEWAY]))
            accounts.grant(connection, GATEWAY, accounts.EVERY, accounts.READ)
        state.put(connection, ACCOUNTS_MADE, "yes")
    return made
