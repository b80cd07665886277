"""The STIX packages of a pulse in a collection, as appliances get them: as text, and to take away."""

from __future__ import annotations

from flask import Response, render_template
from flask.typing import ResponseReturnValue
from lxml import etree
from werkzeug.exceptions import NotFound

from pulsegate.model.role import Role
from pulsegate.stix.schema import parse
from pulsegate.store import collections, pulse_parts
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection
from pulsegate.store.digests import storable
from pulsegate.store.pulses import StoredPulse
from pulsegate.web import paging
from pulsegate.web.access import needs
from pulsegate.web.pages.pulses.base import by_id, pages, whole_number
from pulsegate.web.site import site

SHOWN = 50_000  # characters of a package


@pages.get("/<pulse_id>/stix/<path:name>")
@needs(Role.VIEWER)
def stix(pulse_id: str, name: str) -> ResponseReturnValue:
    """The blocks of the pulse in the collection, and the first one's text."""
    where = paging.position()
    key = whole_number(where.key[0]) if where.key else None
    where = where if key is not None else paging.Position()
    with site().database.read() as connection:
        stored, collection = _both(connection, pulse_id, name)
        found = pulse_parts.blocks_of(
            connection, stored.pk, collection.id, key, backwards=where.backwards, limit=paging.SIZE + 1
        )
    page = paging.cut(found, where, lambda one: (one.id,))
    return render_template("pulses/stix.html", pulse=stored.pulse, collection=name, page=page)


@pages.get("/<pulse_id>/block/<int:block_id>/<path:name>")
@needs(Role.VIEWER)
def block(pulse_id: str, block_id: int, name: str) -> ResponseReturnValue:
    """The text of one package; of a long one its beginning."""
    stored, content = _content(pulse_id, block_id, name)
    text = _indented(content)
    return render_template(
        "pulses/block.html", pulse=stored.pulse, collection=name, block_id=block_id, text=text[:SHOWN],
        is_cut=len(text) > SHOWN,
    )  # fmt: skip


@pages.get("/<pulse_id>/download/<int:block_id>/<path:name>")
@needs(Role.VIEWER)
def download(pulse_id: str, block_id: int, name: str) -> ResponseReturnValue:
    """The package as a file: never shown by a browser, whatever is in it."""
    _stored, content = _content(pulse_id, block_id, name)
    headers = {"Content-Disposition": f'attachment; filename="pulse-{block_id}.xml"'}
    return Response(content, mimetype="application/xml", headers=headers)


def _indented(content: bytes) -> str:
    root = parse(content)
    etree.indent(root)
    text: str = etree.tostring(root, encoding="unicode")
    return text


def _content(pulse_id: str, block_id: int, name: str) -> tuple[StoredPulse, bytes]:
    with site().database.read() as connection:
        stored, collection = _both(connection, pulse_id, name)
        found = pulse_parts.content(connection, stored.pk, collection.id, block_id)
    if found is None:
        raise NotFound
    return stored, found


def _both(connection: Connection, pulse_id: str, name: str) -> tuple[StoredPulse, StoredCollection]:
    collection = collections.get(connection, storable(name))
    if collection is None:
        raise NotFound
    return by_id(connection, pulse_id), collection
