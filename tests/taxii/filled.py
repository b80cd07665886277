"""A filled installation for tests that send many messages to one application, and what they send with."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import libtaxii.messages_10 as tm10
import libtaxii.messages_11 as tm11
import pytest
from libtaxii.constants import (
    VID_TAXII_HTTP_10,
    VID_TAXII_SERVICES_10,
    VID_TAXII_SERVICES_11,
    VID_TAXII_XML_10,
    VID_TAXII_XML_11,
)
from libtaxii.validation import SchemaValidator
from werkzeug.security import generate_password_hash

import support
from pulsegate.curation.policy import Policy
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import accounts, collections
from pulsegate.store.database import Database
from pulsegate.sync.pull import pull_files

ACCOUNT, PASSWORD = "partner", "right-password"
BASIC = "Basic " + base64.b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode()
SCHEMAS = {
    VID_TAXII_XML_10: SchemaValidator(SchemaValidator.TAXII_10_SCHEMA),
    VID_TAXII_XML_11: SchemaValidator(SchemaValidator.TAXII_11_SCHEMA),
}
SERVICES = {VID_TAXII_XML_10: VID_TAXII_SERVICES_10, VID_TAXII_XML_11: VID_TAXII_SERVICES_11}
MODULES = {VID_TAXII_XML_10: tm10, VID_TAXII_XML_11: tm11}


def headers(version: str) -> dict[str, str]:
    """What a client sends beside a message of that version."""
    return {
        "Content-Type": "application/xml",
        "Accept": "application/xml",
        "X-TAXII-Content-Type": version,
        "X-TAXII-Accept": version,
        "X-TAXII-Services": SERVICES[version],
        "X-TAXII-Protocol": VID_TAXII_HTTP_10,
        "Authorization": BASIC,
    }


def read(answer: Any) -> Any:
    """The TAXII message of an HTTP answer, checked against the schema of the version that its header names."""
    version = answer.headers["X-TAXII-Content-Type"]
    checked = SCHEMAS[version].validate_string(answer.data)
    assert checked.valid, (checked.error_log, answer.data)
    assert answer.headers["X-TAXII-Services"] == SERVICES[version]
    assert answer.headers["X-TAXII-Protocol"] == VID_TAXII_HTTP_10
    assert answer.headers["Content-Type"].split(";")[0] == "application/xml"
    return MODULES[version].get_message_from_xml(answer.data)


def _pulse(number: int) -> dict[str, Any]:
    return {
        "id": f"{number:024x}",
        "name": f"Pulse {number}",
        "author_name": "Some Author",
        "created": "2026-01-01T00:00:00",
        "modified": f"2026-01-0{number + 1}T12:00:00",
        "indicators": [{"type": "domain", "indicator": f"bad{number}.example.org"}],
    }


@contextmanager
def application(database: Database, folder: Path) -> Iterator[Any]:
    """Our application over the empty database: three pulses, and an account that reads and writes everything."""
    (folder / "pulses.json").write_text(json.dumps([_pulse(number) for number in range(3)]))
    with pytest.MonkeyPatch.context() as patch:
        quick = partial(generate_password_hash, method="pbkdf2:sha256:1")
        patch.setattr("pulsegate.store.accounts.generate_password_hash", quick)
        with database.write() as connection:
            collections.ensure_services(connection)
            collections.put(connection, SUBSCRIBED)
            accounts.add(connection, ACCOUNT, PASSWORD)
            accounts.grant(connection, ACCOUNT, "*", accounts.READ)
            accounts.grant(connection, ACCOUNT, "*", accounts.WRITE)
        pull_files(database, [folder / "pulses.json"], Policy())
        made = support.application(database.url)
        try:
            yield made
        finally:
            support.close(made)
