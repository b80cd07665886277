"""Plain text and tables: what is taken, and why the rest is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pulsegate.errors import ReportError
from pulsegate.model.tlp import TLP
from pulsegate.reports import Format, Reading, fields, formats, read, streams
from pulsegate.reports.fields import harmless, original
from pulsegate.values.normalise import best_reading

OTX = "Indicator type,Indicator,Description\nIPv4,1.2.3.4,\nFileHash-MD5,d41d8cd98f00b204e9800998ecf8427e,empty\n"


def accepted(found: Reading) -> list[tuple[str, str]]:
    return [(one.indicator.type, one.indicator.value) for one in found.accepted]


def rejected(found: Reading) -> list[tuple[str, str, str]]:
    return [(one.where, one.text, one.reason) for one in found.rejected]


def test_text_has_one_value_a_line() -> None:
    found = read(
        b"# from our own desk\n\nevil[.]example[.]com   # seen today\r\nhxxps://a.example/x?y=1#z\n1.2.3.0/24\n"
        b"someone@bad.example\nCVE-2024-1234\nC:\\Temp\\bad.exe\nda39a3ee5e6b4b0d3255bfef95601890afd80709\n2001:db8::1"
    )
    assert accepted(found) == [
        ("hostname", "evil[.]example[.]com"),
        ("URL", "hxxps://a.example/x?y=1#z"),
        ("CIDR", "1.2.3.0/24"),
        ("email", "someone@bad.example"),
        ("CVE", "CVE-2024-1234"),
        ("FilePath", "C:\\Temp\\bad.exe"),
        ("FileHash-SHA1", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("IPv6", "2001:db8::1"),
    ]
    assert [one.where for one in found.accepted][:2] == ["line 3", "line 4"]
    assert found.rejected == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("indicators", "a name whose end does not exist"),
        ("report.pdf", "a name whose end does not exist"),
        ("the evil.example host", "several words in one line"),
        ("a.example,b.example", "several words in one line"),
        ("999.1.1.1", "not an IP address: a number above 255"),
        ("and/or", "no address, name, URL"),
        ("/gate.php", "no address, name, URL"),
        ("Global\\mutex", "no address, name, URL"),
        ("x" * 9000, "no address, name, URL"),
    ],
)
def test_line_that_is_no_value_is_refused_with_its_reason(line: str, reason: str) -> None:
    (one,) = read(f"a.example\n{line}\n".encode(), Format.TEXT).rejected
    assert one.where == "line 2"
    assert one.text == (line if len(line) < 200 else line[:200] + "…")
    assert one.reason.startswith(reason)


@pytest.mark.parametrize(
    "text",
    ["a.example", "www.a[.]example", "1.2.3.4", "1[.]2[.]3[.]4", "*.a.example", "A.Example.", "münchen.example", "a.example)",
     "1BoatSLRHtKNngkdXEeobR76b53LETtpyT.", "a b.example", "CVE-2024-1234.", "1.2.3.4.5", "d41d8cd98f00b204e9800998ecf8427e.",
     "a..example", "a.example\\x", ".", "a[dot]example", '"a.example"', "co.uk", "*.github.io"],
)  # fmt: skip
def test_name_gets_the_type_that_every_try_would_give_it(text: str) -> None:
    assert fields._as_name(text) in (None, best_reading(text))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_otx_export_in_any_encoding(encoding: str, end: str) -> None:
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    found = read((mark + OTX.replace("\n", end)).encode(encoding))
    assert accepted(found) == [("IPv4", "1.2.3.4"), ("FileHash-MD5", "d41d8cd98f00b204e9800998ecf8427e")]
    assert [one.indicator.description for one in found.accepted] == ["", "empty"]
    assert found.rejected == []


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_in_any_order_and_spelling(separator: str) -> None:
    rows = [
        ("TLP", "Valid Until", "IOC", "whatever", "Indicator_Type", "Comment", "Name", "Role"),
        ("AMBER", "2026-12-31", "a.example", "x", "DOMAIN", "what it is", "A title", "c2"),
        ("", "", "hxxp://a[.]example/x", "x", "", "", "", ""),
    ]
    found = read("\n".join(separator.join(row) for row in rows).encode())
    first, second = found.accepted
    assert (first.tlp, second.tlp) == (TLP.AMBER, None)
    assert first.indicator.expiration == datetime(2026, 12, 31, tzinfo=UTC)
    assert (first.indicator.title, first.indicator.description, first.indicator.role) == ("A title", "what it is", "c2")
    assert accepted(found) == [("domain", "a.example"), ("URL", "hxxp://a[.]example/x")]


def test_table_without_a_header() -> None:
    found = read(b'URL,"http://a.example/x,y",A title\nb.example,domain\n"c.example"\n', Format.CSV)
    assert accepted(found) == [("URL", "http://a.example/x,y"), ("domain", "b.example"), ("domain", "c.example")]
    assert [one.indicator.title for one in found.accepted] == ["A title", "", ""]
    assert formats.detect("URL,http://a.example\n") is Format.CSV


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("nonsense,x,,", '"nonsense" is no indicator type that Pulsegate knows'),
        ("domain,a.example,blue,", 'TLP "blue" is none of white, clear, green, amber and red'),
        ("domain,a.example,,soon", '"soon" is no date; write it as 2026-12-31 or 2026-12-31T18:00Z'),
        (",some words,,", "several words in one line; write one value a line, or give its type"),
        (",,green,", "it is no value of any type"),
    ],
)
def test_row_that_is_not_understood_is_refused(row: str, reason: str) -> None:
    found = read(f"type,value,tlp,expires\n{row}\ndomain,b.example\n".encode())
    assert rejected(found) == [("line 2", row.split(",")[1], reason)]
    assert accepted(found) == [("domain", "b.example")]


def test_row_that_is_none_stops_no_other() -> None:
    found = read(b'value\na.example\n"' + b"x" * 140_000 + b"\nb.example\n", Format.CSV)
    assert ("domain", "a.example") in accepted(found)
    assert found.rejected[0].reason.startswith("not a row of a table: field larger")


def test_windows_text_is_read_where_it_is_not_utf_8() -> None:
    (one,) = read("value,comment\na.example,Größe\n".encode("cp1252")).accepted
    assert one.indicator.description == "Größe"


@pytest.mark.parametrize("text", ["=1+1", "-x", "@x", "+1", "\tx", "'=1", "''@x", "'x", "x", "", "'", "''"])
def test_cell_that_was_made_harmless_comes_back(text: str) -> None:
    made = harmless(text)
    assert original(made) == text
    assert not made.startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"PK\x03\x04xx", "it is a ZIP file or a workbook"), (b"\x7fELF\0\0", "it is a binary file, not text")],
)
def test_file_that_is_no_text(data: bytes, reason: str) -> None:
    with pytest.raises(ReportError, match=reason):
        read(data)


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_ENTRIES", 3)
    assert len(read(b"a.example\n" * 3).accepted) == 3
    with pytest.raises(ReportError, match="it has 4 lines, more than the 3 that are read"):
        read(b"a.example\n" * 4)
    with pytest.raises(ReportError, match=r"it has 512,000,001 bytes"):
        streams.size(Long())  # type: ignore[arg-type]


class Long:
    """A file of which only the length is told."""

    def seek(self, _place: int, whence: int = 0) -> int:
        return streams.MAX_BYTES + 1 if whence else 0


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("tlp:clear", TLP.WHITE),
        ("TLP:AMBER+STRICT", TLP.AMBER),
        (" Red ", TLP.RED),
        ("", None),
        ("TLP:GREEN", TLP.GREEN),
    ],
)
def test_levels(word: str, level: TLP | None) -> None:
    assert fields.tlp(word) == level


@pytest.mark.parametrize(
    ("beginning", "form"),
    [
        ("\ufeff <?xml", Format.STIX),
        ('{"Event"', Format.MISP),
        ("[ {", Format.MISP),
        ("[2001:db8::1]\n", Format.TEXT),
        ("a.example\n", Format.TEXT),
        ("indicator\na.example\n", Format.CSV),
        ("a.example;domain", Format.CSV),
        ("", Format.TEXT),
    ],
)
def test_format_is_told_by_the_beginning(beginning: str, form: Format) -> None:
    assert formats.detect(beginning) is form
