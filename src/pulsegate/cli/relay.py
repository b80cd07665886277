"""``pulsegate relay``: signed bundles of pulses, out of one Pulsegate and into another that has no way out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pulsegate.cli.options import DryRun, account, installation
from pulsegate.cli.output import AsJSON, errors, instant, people, print_json, when
from pulsegate.cli.setup import Installation, prepare
from pulsegate.errors import UsageError
from pulsegate.store.database import now

if TYPE_CHECKING:  # imported when they are needed, so that help and other commands start fast
    from pulsegate.relay.importing import Forecast, Imported
    from pulsegate.relay.keys import SecretKey, Trust
    from pulsegate.relay.manifest import Manifest

app = typer.Typer(no_args_is_help=True, help="Signed bundles for a Pulsegate in a network with no way out.")

TrustOption = Annotated[
    list[Path] | None,
    typer.Option("--trust", metavar="PUBLIC", help="Trust the public key in this file; default: those of relay.trust."),
]
Bundle = Annotated[Path, typer.Argument(metavar="FILE", help="The bundle.")]


@app.command()
def keygen(
    out: Annotated[
        Path, typer.Option("--out", metavar="PREFIX", help="Write PREFIX (secret) and PREFIX.pub (public).")
    ],
    as_json: AsJSON = False,
) -> None:
    """Make a pair of keys: the secret one stays with the sender, the public one goes to the receivers."""
    from pulsegate.relay import keys

    fingerprint = keys.generate(out)
    if as_json:
        print_json({"secret": str(out), "public": f"{out}.pub", "fingerprint": fingerprint})
        return
    people.print(f"{out} is the secret key; it signs, and stays here.", markup=False)
    people.print(f"{out}.pub is the public key; bring it to the receivers, and compare its fingerprint:", markup=False)
    people.print(f"  {fingerprint}", markup=False)


@app.command()
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Write the bundle to FILE.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="SECRET", help="Sign with this key; default: relay.key.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Everything, and not what changed.")] = False,
    since: Annotated[
        int | None, typer.Option("--since", metavar="N", min=1, help="What changed since the export with this number.")
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Write what changed since the last export, or everything, to a signed file. The first one has everything."""
    from pulsegate.relay import export as exports

    if full and since is not None:
        raise UsageError("--full is everything, --since N is a part", hint="Give one of them")
    where = installation(context)
    prepare(where)
    wanted = exports.Wanted(full=full, since=since)
    done = exports.export(where.database, _secret(where, key), where.settings.relay.origin, out, wanted)
    if as_json:
        print_json({"file": str(done.path), "bytes": done.size, **_described(done.manifest)})
        return
    people.print(f"{done.path}: {_title(done.manifest)}, {_amount(done.manifest)}, {done.size:,} bytes.", markup=False)


@app.command("import")
def import_(
    context: typer.Context,
    file: Bundle,
    trust: TrustOption = None,
    dry_run: DryRun = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Take a full snapshot whatever was taken of this sender before.")
    ] = False,
    as_json: AsJSON = False,
) -> None:
    """Verify a bundle, take it and publish what it brings. What is not signed by a trusted key is refused."""
    from pulsegate.relay import importing

    where = installation(context)
    prepare(where)
    trusted = _trust(where, trust)
    if dry_run:
        _tell_forecast(importing.forecast(where.database, file, trusted, restart=restart), as_json=as_json)
        return
    _tell(importing.take(where.database, where.policy, file, trusted, restart=restart), as_json=as_json)


@app.command()
def verify(context: typer.Context, file: Bundle, trust: TrustOption = None, as_json: AsJSON = False) -> None:
    """Verify a bundle, all of it, and say what it is. Nothing is changed, and nothing that was taken is looked at."""
    from pulsegate.relay.verify import verified

    where = installation(context)
    with where.database.read() as connection:
        moment = now(connection)
    with verified(file, _trust(where, trust), moment) as bundle:
        made, signer = bundle.manifest, bundle.signer
    if as_json:
        print_json({"signer": signer.name, **_described(made)})
        return
    people.print(f"{file.name}: {_title(made)}, signed with the key {signer.name!r}: {_amount(made)}.", markup=False)


@app.command()
def forget(
    context: typer.Context,
    origin: Annotated[str, typer.Argument(help="The sender's name.")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Withdraw the pulses that it brought, too.")] = False,
) -> None:
    """Forget what was taken of a sender, and its keys: its next full snapshot is a first one."""
    from pulsegate.relay.importing import source_of
    from pulsegate.store import audit, relay, sources

    where = installation(context)
    with where.database.write() as connection:
        known = relay.origins(connection)
        if origin not in known:
            hint = f"Known are: {', '.join(known) or 'none'}"
            raise UsageError("nothing was taken of such a sender", resource=origin, hint=hint)
        relay.forget(connection, origin, pulses_too=withdraw)
        withdrawn = sources.forget(connection, source_of(origin)) if withdraw else 0
        audit.record(connection, account(), "relay.forget", origin, before={"withdrawn": withdrawn})
    left = f"{withdrawn:,} pulses leave with the next publication" if withdraw else "its pulses stay until then"
    people.print(f"{origin} is forgotten; take a full snapshot of it next: {left}.", markup=False)


def _secret(where: Installation, given: Path | None) -> SecretKey:
    from pulsegate.relay.keys import read_secret

    path = given or where.settings.relay.key
    if path is None:
        hint = "Give --key, or set relay.key; 'pulsegate relay keygen' makes one"
        raise UsageError("there is no key to sign with", hint=hint)
    return read_secret(path)


def _trust(where: Installation, given: list[Path] | None) -> Trust:
    """The keys that are given, or those of the settings."""
    from pulsegate.relay.keys import Trust, read_public

    settings = where.settings.relay
    if given:
        found = [read_public(one) for one in given]
    else:
        found = [replace(read_public(one.key, one.name), until=one.until, origin=one.origin) for one in settings.trust]
    if not found:
        hint = "Give --trust PUBLIC, or set relay.trust"
        raise UsageError("there is no key that bundles may be signed with", hint=hint)
    return Trust(tuple(found), frozenset(settings.revoked))


def _title(made: Manifest) -> str:
    head = made.head
    kind = "a full snapshot" if made.since is None else f"a delta since number {made.since}"
    return f"number {head.sequence} of {head.origin}, {kind} as of {when(head.created)}"


def _amount(made: Manifest) -> str:
    lines = made.pulses_member.lines
    removals = f", {made.removals:,} removals" if made.removals else ""
    return f"{lines:,} lines of pulses and indicators{removals}; in all {made.head.pulses:,} pulses"


def _described(made: Manifest) -> dict[str, Any]:
    head = made.head
    return {
        "origin": head.origin,
        "sequence": head.sequence,
        "kind": made.kind,
        "since": made.since,
        "created": instant(head.created),
        "pulses": head.pulses,
        "indicators": head.indicators,
        "removals": made.removals,
        "key": made.signer,
    }


def _tell(done: Imported, *, as_json: bool) -> None:
    from pulsegate.relay.importing import remark

    intake = done.outcome.intake if done.outcome else None
    counts = {
        "new": intake.new if intake else 0,
        "changed": intake.changed if intake else 0,
        "removed": intake.removed if intake else 0,
    }
    if as_json:
        outcome = "known" if done.known else "taken"
        print_json({"outcome": outcome, "signer": done.signer, **_described(done.manifest), "brought": counts})
    elif done.known:
        people.print(f"Nothing to do: {_title(done.manifest)} was taken before.", markup=False)
    else:
        brought = ", ".join(f"{number:,} {what}" for what, number in counts.items())
        people.print(f"Taken: {_title(done.manifest)}, signed with the key {done.signer!r}.", markup=False)
        people.print(f"Pulses: {brought}; published.", markup=False)
    if (told := remark(done)) is not None:
        errors.print(f"pulsegate: {told}", markup=False, style="red")


def _tell_forecast(found: Forecast, *, as_json: bool) -> None:
    counts = {
        "new": found.new, "changed": found.changed, "unchanged": found.unchanged, "leaving": found.leaving,
        "indicators": found.indicators,
    }  # fmt: skip
    if as_json:
        outcome = "known" if found.known else "would be taken"
        print_json({"outcome": outcome, "signer": found.signer, **_described(found.manifest), "would": counts})
        return
    if found.known:
        people.print(f"Nothing would be done: {_title(found.manifest)} was taken before.", markup=False)
        return
    people.print(f"Would be taken: {_title(found.manifest)}, signed with the key {found.signer!r}.", markup=False)
    told = ", ".join(f"{number:,} {what}" for what, number in counts.items() if what != "indicators")
    people.print(f"Pulses: {told}; with {found.indicators:,} indicators. Nothing was changed.", markup=False)
    for name in found.examples:
        people.print(f"  {name}", markup=False)
