"""Files that are made to do harm: paths that lead elsewhere, packages that grow, tables that run."""

from __future__ import annotations

import io

import pytest

from pulsegate.errors import ReportError
from pulsegate.reports import Format, formats, read
from pulsegate.taxii.probe import _names

ENTITIES = "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in ("ab", "bc", "cd", "de", "ef", "fg"))
PACKAGE = (
    '<stix:STIX_Package xmlns:stix="http://stix.mitre.org/stix-1" xmlns:cybox="http://cybox.mitre.org/cybox-2" '
    'xmlns:i="http://stix.mitre.org/Indicator-2" xmlns:d="http://cybox.mitre.org/objects#DomainNameObject-1" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="a:b" version="1.2"><stix:Indicators>'
    '<stix:Indicator xsi:type="i:IndicatorType"><i:Observable><cybox:Object><cybox:Properties '
    'xsi:type="d:DomainNameObjectType"><d:Value>%s</d:Value></cybox:Properties></cybox:Object></i:Observable>'
    "</stix:Indicator></stix:Indicators></stix:STIX_Package>"
)


def test_package_of_the_test_is_read() -> None:
    assert [one.indicator.value for one in read((PACKAGE % "evil.example").encode(), Format.STIX).accepted] == [
        "evil.example"
    ]


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa">{ENTITIES}]>',
        '<!DOCTYPE p [<!ENTITY g SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE p [<!ENTITY g SYSTEM "http://192.0.2.1/">]>',
    ],
)
def test_uploaded_package_with_a_document_type_is_refused(doctype: str) -> None:
    with pytest.raises(ReportError, match="a package has no document type declaration"):
        read((doctype + PACKAGE % "x&g;.example").encode(), Format.STIX)


def test_depth_of_an_uploaded_package_is_bounded() -> None:
    deep = PACKAGE % ("<d:x>" * 100_000 + "</d:x>" * 100_000)
    with pytest.raises(ReportError):
        read(deep.encode(), Format.STIX)


def test_depth_of_an_uploaded_event_is_bounded() -> None:
    with pytest.raises(ReportError):
        list(formats.entries(io.BytesIO(b'{"Event": ' + b"[" * 200_000), Format.MISP))


def test_entities_in_the_answer_to_a_test_of_a_connection_are_not_put_in() -> None:
    body = f'<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa">{ENTITIES}]><p><Collection collection_name="&g;"/></p>'.encode()
    assert not any("aaaa" in one for one in _names(body))
