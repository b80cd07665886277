"""What several tests share: a TAXII server in this process, and the values that STIX packages carry."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cabby
from lxml import etree
from werkzeug.serving import WSGIRequestHandler, make_server

from pulsegate.store import pulses, taken

BIN = Path(sys.executable).parent
NS = {
    "stix": "http://stix.mitre.org/stix-1",
    "indicator": "http://stix.mitre.org/Indicator-2",
    "cybox": "http://cybox.mitre.org/cybox-2",
    "common": "http://cybox.mitre.org/common-2",
    "address": "http://cybox.mitre.org/objects#AddressObject-2",
    "domain": "http://cybox.mitre.org/objects#DomainNameObject-1",
    "uri": "http://cybox.mitre.org/objects#URIObject-2",
    "et": "http://stix.mitre.org/ExploitTarget-1",
    "yara": "http://stix.mitre.org/extensions/TestMechanism#YARA-1",
}
# How a reader finds the value of an indicator, by the kind of thing it names.
_READERS = {
    "address": ".//address:Address_Value",
    "name": ".//domain:Value",
    "uri": ".//uri:Value",
    "hash": ".//common:Simple_Hash_Value",
}


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(application: Any) -> Iterator[str]:
    """Serve a WSGI application on a free port of 127.0.0.1; gives its address."""
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        close(application)


def application(database_url: str, **options: Any) -> Any:
    """Our TAXII application."""
    from pulsegate.taxii import app

    return app.create(app.Service(database_url, **options))


def close(application: Any) -> None:
    """Close the poll log and the database connections of one of our applications."""
    taxii = getattr(application, "taxii_server", None)
    if taxii is not None and hasattr(taxii.auth.api, "_database"):
        taxii.auth.api._database.close()
        taxii.servers.taxii1.persistence.api.poll_log.close()
        taxii.servers.taxii1.persistence.api.database.close()


def client(address: str, username: str, password: str) -> Any:
    """A cabby client, as ``taxii-poll`` makes it."""
    made = cabby.create_client(discovery_path=f"{address}/taxii/discovery", version="1.1")
    made.set_auth(username=username, password=password)
    return made


def poll(address: str, collection: str, username: str, password: str, **window: Any) -> list[Any]:
    """The content blocks that cabby gets."""
    return list(client(address, username, password).poll(collection, uri=f"{address}/taxii/poll", **window))


def read_values(package: bytes) -> list[tuple[str, str]]:
    """(kind, value) of every indicator in a STIX package, in order, as a plain reader of the XML finds them."""
    root = etree.fromstring(package)
    return [_read_value(one) for one in root.findall("stix:Indicators/stix:Indicator", NS)]


def _read_value(indicator: Any) -> tuple[str, str]:
    for kind, path in _READERS.items():
        texts = [node.text for node in indicator.findall(path, NS)]
        if texts:
            assert len(texts) == 1, texts
            return kind, texts[0]
    title = indicator.findtext(".//cybox:Title", namespaces=NS) or indicator.findtext("indicator:Title", namespaces=NS)
    return "title", title


def pulse_id(package: bytes) -> str:
    """The pulse that a package names as its origin."""
    address = etree.fromstring(package).findtext("stix:STIX_Header/stix:Short_Description", namespaces=NS)
    return str(address).rpartition("/")[2]


def withdraw(connection, pulse_id: str) -> None:
    """The pulse, if it is stored, is no longer what any source has."""
    stored = pulses.get(connection, pulse_id)
    taken.withdraw(connection, [stored.pk] if stored else [])


def end(process: subprocess.Popen[str]) -> None:
    """Tell it to end, and see to it that it does."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
