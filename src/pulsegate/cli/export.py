"""``pulsegate collection export``: what a collection holds, as a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from pulsegate import files
from pulsegate.cli.options import installation, named_collection
from pulsegate.errors import UsageError
from pulsegate.publication.forms import ExportFormat


def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection's name.")],
    form: Annotated[
        ExportFormat, typer.Option("--format", help="A table, plain values, one STIX 1.2 package, or JSON lines.")
    ] = ExportFormat.CSV,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write to FILE; default: standard output.")
    ] = None,
) -> None:
    """Write what a collection gives when it is polled whole to a file: CSV, plain values, STIX or JSON lines."""
    from pulsegate.publication import export as exports

    where = installation(context)
    with where.database.read() as connection:
        stored = named_collection(connection, name)
    put_out(exports.export(where.database, stored, form), out)


def put_out(pieces: Iterable[bytes], out: Path | None) -> None:
    """Write the pieces to the file; None: to standard output."""
    if out is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    with _written(out) as file:
        for piece in pieces:
            file.write(piece)


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """``files.written``. UsageError: it can't be."""
    try:
        with files.written(path) as file:
            yield file
    except OSError as error:
        raise UsageError(f"can't be written: {error.strerror}", resource=str(path)) from error
