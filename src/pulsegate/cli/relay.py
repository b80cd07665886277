"""``pulsegate relay``: signed bundles of pulses, out of one Pulsegate and into another that has no way out."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pulsegate.cli import relaying
from pulsegate.cli.options import DryRun, account, installation
from pulsegate.cli.output import AsJSON, errors, instant, people, print_json, when
from pulsegate.cli.setup import prepare
from pulsegate.errors import UsageError
from pulsegate.model.relay import Take
from pulsegate.store.database import now

if TYPE_CHECKING:  # imported when they are needed, so that help and other commands start fast
    from pulsegate.relay.importing import Forecast, Imported
    from pulsegate.relay.manifest import Manifest

app = typer.Typer(no_args_is_help=True, help="Signed bundles for a Pulsegate in a network with no way out.")

TrustOption = Annotated[
    list[Path] | None,
    typer.Option("--trust", metavar="PUBLIC", help="Trust the public key in this file; default: those of relay.trust."),
]
_KINDS = ", ".join(Take)
_PLAINLY = {
    "allow": "allow list",
    "collection": "collections",
    "override": "forced values",
    "review": "reviews of pulses",
    "trusted": "trusted authors",
    "own": "own pulses",
}
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
    curation: Annotated[
        bool | None,
        typer.Option(
            "--curation/--no-curation",
            help="With what was decided here, and the own pulses, or without; default: relay.curation.",
        ),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Write what changed since the last export, or everything, to a signed file. The first one has everything."""
    from pulsegate.relay import export as exports

    if full and since is not None:
        raise UsageError("--full is everything, --since N is a part", hint="Give one of them")
    where = installation(context)
    prepare(where)
    settings = where.settings.relay
    wanted = exports.Wanted(full, since, settings.curation if curation is None else curation)
    place, signing = exports.to_file(out), relaying.secret(where, key)
    done = exports.export(where.database, signing, settings.origin, place, wanted)
    for fault in done.left_out:
        errors.print(f"pulsegate: left out, as no receiver would take it: {fault}", markup=False)
    head = done.manifest.head
    relaying.record(where, account(), "relay.write", done.path.name, head.origin, head.sequence)
    if as_json and not _is_stdout(out):
        print_json({"file": str(done.path), "bytes": done.size, **_described(done.manifest)})
        return
    told = errors if _is_stdout(out) else people  # after the bundle nothing may follow
    told.print(f"{done.path}: {_title(done.manifest)}, {_amount(done.manifest)}, {done.size:,} bytes.", markup=False)


def _is_stdout(path: Path) -> bool:
    """Whether the path, such as /dev/stdout, leads to where this command prints."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


@app.command("import")
def import_(
    context: typer.Context,
    file: Bundle,
    trust: TrustOption = None,
    dry_run: DryRun = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Take a full snapshot whatever was taken of this sender before.")
    ] = False,
    kinds: Annotated[
        list[Take] | None,
        typer.Option("--take", metavar="KIND", help=f"Take this of the curation, too: {_KINDS}; default: relay.take."),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Verify a bundle, take it and publish what it brings. What is not signed by a trusted key is refused."""
    from pulsegate.relay import importing

    where = installation(context)
    prepare(where)
    trusted = relaying.trust(where, trust or ())
    wanted = kinds or where.settings.relay.take
    if dry_run:
        found = importing.forecast(where.database, where.policy, file, trusted, wanted, restart=restart)
        _tell_forecast(found, as_json=as_json)
        return
    _tell(relaying.take(where, file, trusted, account(), wanted, restart=restart), as_json=as_json)


@app.command()
def verify(context: typer.Context, file: Bundle, trust: TrustOption = None, as_json: AsJSON = False) -> None:
    """Verify a bundle, all of it, and say what it is. Nothing is changed, and nothing that was taken is looked at."""
    from pulsegate.relay.verify import verified

    where = installation(context)
    with where.database.read() as connection:
        moment = now(connection)
    with verified(file, relaying.trust(where, trust or ()), moment) as bundle:
        made, signer = bundle.manifest, bundle.signer
    if as_json:
        print_json({"signer": signer.name, **_described(made)})
        return
    people.print(f"{file.name}: {_title(made)}, signed with the key {signer.name!r}: {_amount(made)}.", markup=False)


@app.command()
def status(context: typer.Context, as_json: AsJSON = False) -> None:
    """Say what was written and taken last, how old that is, and what was refused."""
    where = installation(context)
    if as_json:
        print_json(relaying.shown(where))
    else:
        relaying.print_standing(where)


@app.command()
def forget(
    context: typer.Context,
    origin: Annotated[str, typer.Argument(help="The sender's name.")],
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Withdraw the pulses and the curation that it brought, too.")
    ] = False,
) -> None:
    """Forget what was taken of a sender, and its keys: its next full snapshot is a first one."""
    from pulsegate.relay import forgetting

    where = installation(context)
    withdrawn = forgetting.forget(where.database, account(), origin, withdraw=withdraw)
    gone = f"{withdrawn:,} pulses leave with the next publication, and its curation is gone"
    left = gone if withdraw else "what it brought stays until then, or until this is run with --withdraw"
    people.print(f"{origin} is forgotten; take a full snapshot of it next: {left}.", markup=False)


def _title(made: Manifest) -> str:
    head = made.head
    kind = "a full snapshot" if made.since is None else f"a delta since number {made.since}"
    return f"number {head.sequence} of {head.origin}, {kind} as of {when(head.created)}"


def _amount(made: Manifest) -> str:
    from pulsegate.relay.manifest import CURATION

    lines = made.pulses_member.lines
    removals = f", {made.removals:,} removals" if made.removals else ""
    curation = made.member(CURATION)
    curated = f", {curation.lines:,} lines of curation" if curation else ""
    return f"{lines:,} lines of pulses and indicators{removals}{curated}; in all {made.head.pulses:,} pulses"


def _described(made: Manifest) -> dict[str, Any]:
    from pulsegate.relay.manifest import CURATION

    head, curation = made.head, made.member(CURATION)
    return {
        "origin": head.origin,
        "sequence": head.sequence,
        "kind": made.kind,
        "since": made.since,
        "created": instant(head.created),
        "pulses": head.pulses,
        "indicators": head.indicators,
        "removals": made.removals,
        "curation": curation.lines if curation else None,
        "key": made.signer,
    }


def _tell(done: Imported, *, as_json: bool) -> None:
    from pulsegate.relay.importing import remark

    counts = {"new": done.intake.new, "changed": done.intake.changed, "removed": done.intake.removed}
    if as_json:
        outcome = "known" if done.known else "taken"
        told = {"outcome": outcome, "signer": done.signer, **_described(done.manifest), "brought": counts}
        print_json(told | _curation_json(done))
    elif done.known and done.outcome is None:
        people.print(f"Nothing to do: {_title(done.manifest)} was taken before.", markup=False)
    else:
        brought = ", ".join(f"{number:,} {what}" for what, number in counts.items())
        title = f"{'Taken before' if done.known else 'Taken'}: {_title(done.manifest)}"
        people.print(f"{title}, signed with the key {done.signer!r}.", markup=False)
        people.print(f"Pulses: {brought}; published.", markup=False)
    if not as_json:
        _tell_curation(done)
    if (fault := remark(done)) is not None:
        errors.print(f"pulsegate: {fault}", markup=False, style="red")


def _tell_forecast(found: Forecast, *, as_json: bool) -> None:
    counts = {
        "new": found.new, "changed": found.changed, "unchanged": found.unchanged, "leaving": found.leaving,
        "indicators": found.indicators,
    }  # fmt: skip
    if as_json:
        outcome = "known" if found.known else "would be taken"
        told = {"outcome": outcome, "signer": found.signer, **_described(found.manifest), "would": counts}
        print_json(told | _curation_json(found))
        return
    if found.known:
        people.print(f"No pulse would change: {_title(found.manifest)} was taken before.", markup=False)
        _tell_curation(found)
        return
    people.print(f"Would be taken: {_title(found.manifest)}, signed with the key {found.signer!r}.", markup=False)
    listed = ", ".join(f"{number:,} {what}" for what, number in counts.items() if what != "indicators")
    people.print(f"Pulses: {listed}; with {found.indicators:,} indicators. Nothing was changed.", markup=False)
    for name in found.examples:
        people.print(f"  {name}", markup=False)
    _tell_curation(found)


def _tell_curation(found: Imported | Forecast) -> None:
    """What comes, changes and goes, by kind; and what was made here and stays in place of the sender's."""
    for kind, one in found.curation.items():
        if one.is_something or one.kept:
            kept = f"; {one.kept:,} made here stay in place of the sender's" if one.kept else ""
            numbers = f"{one.coming:,} coming, {one.changing:,} changing, {one.going:,} going"
            people.print(f"Curation, {_PLAINLY[kind]}: {numbers}{kept}.", markup=False)
    for fault in found.refused:
        errors.print(f"pulsegate: not taken: {fault}", markup=False)


def _curation_json(found: Imported | Forecast) -> dict[str, Any]:
    return {"taken": {kind: asdict(one) for kind, one in found.curation.items()}, "refused": list(found.refused)}
