"""Text files of one's own entries."""

from __future__ import annotations

import pytest

from pulsegate.curation.entry_file import parse_entry, read_entries
from pulsegate.curation.value_set import EntryKind as K
from pulsegate.curation.value_set import ValueSet
from pulsegate.errors import SettingsError
from pulsegate.model.indicator import IndicatorType as T

MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.com", (K.EXACT, ("example.com",))),
        (".example.com", (K.SUBTREE, ("example.com",))),
        ("*.Example.com", (K.SUBTREE, ("example.com",))),
        ("*.gov.uk", (K.SUBTREE, ("gov.uk",))),
        (".bücher.example", (K.SUBTREE, ("xn--bcher-kva.example",))),
        ("192.0.2.1", (K.NETWORK, ("192.0.2.1",))),
        ("192.0.2.9/24", (K.NETWORK, ("192.0.2.0/24",))),
        ("192.0.2.0/255.255.255.0", (K.NETWORK, ("192.0.2.0/24",))),
        ("2001:DB8::/32", (K.NETWORK, ("2001:db8::/32",))),
        ("::ffff:192.0.2.1", (K.NETWORK, ("192.0.2.1",))),
        ("http://example.com/x#top", (K.EXACT, ("http://example.com/x#top",))),
        ("someone@example.com", (K.EXACT, ("someone@example.com",))),
        (MD5, (K.EXACT, (MD5,))),
    ],
)
def test_entry(text, expected):
    assert parse_entry(text) == expected


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (MD5.upper(), T.MD5, MD5),
        (MD5.upper(), T.IMPHASH, MD5),
        ("Example.COM", T.DOMAIN, "example.com"),
        ("cve-2017-0144", T.CVE, "CVE-2017-0144"),
        ("Someone@EXAMPLE.com", T.EMAIL, "Someone@example.com"),
        (r"C:\Windows\Explorer.exe", T.FILE_PATH, r"C:\Windows\Explorer.exe"),
        (r"Global\Some_Mutex", T.MUTEX, r"Global\Some_Mutex"),
    ],
)
def test_entry_covers_the_value_that_it_is_in_another_spelling(tmp_path, text, kind, value):
    path = tmp_path / "list.txt"
    path.write_text(text)
    assert ValueSet(read_entries(path)).covering(kind, value)


def test_file_with_comments_and_blank_lines(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(
        "\ufeff# ours\r\n\r\nexample.com  # the shop\r\n\t.example.net\r\n10.0.0.0/8\nhttp://a.example/#x\n#end".encode()
    )
    found = {batch.kind: (list(batch.texts), batch.source) for batch in read_entries(path, "mine")}
    assert found == {
        K.EXACT: (["example.com", "http://a.example/#x"], "mine"),
        K.SUBTREE: (["example.net"], "mine"),
        K.NETWORK: (["10.0.0.0/8"], "mine"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("good.example\n300.1.1.1\n", "line 2: '300.1.1.1': not an IP address: a number above 255"),
        ("# x\n\n1.2.3.4/40", "line 3: '1.2.3.4/40': not an IP address: the prefix length is not a number from 0 to 32"),
        (".two words.example", "line 1: '.two words.example': not a domain name: white space inside"),
        (".1.2.3.4", "line 1: '.1.2.3.4': only a domain name has something below it"),
        ("*.", "line 1: '*.': the value is empty"),
        ("just words", "line 1: 'just words' is no domain, address, network, URL, mail address, hash or path"),
        ("1.2.3.999\n.a..b", "line 1: '1.2.3.999': not an IP address: a number above 255; line 2: '.a..b': not a domain name: two dots in a row"),
    ],
)  # fmt: skip
def test_lines_that_are_wrong_are_named(tmp_path, text, message):
    path = tmp_path / "list.txt"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_entries(path)
    assert str(caught.value) == f"{path}: {message}"


def test_of_many_wrong_lines_the_first_are_named(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("good.example\n" + "!!\n" * 8)
    with pytest.raises(SettingsError) as caught:
        read_entries(path)
    assert "line 6" in str(caught.value)
    assert str(caught.value).endswith("; and 3 more")


@pytest.mark.parametrize(
    ("content", "told"), [(None, "can't be read: No such file"), (b"\xff\xfe", "is not UTF-8 text. Save it as UTF-8")]
)
def test_file_that_can_not_be_read(tmp_path, content, told):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=told) as caught:
        read_entries(path)
    assert caught.value.resource == str(path)


def test_empty_file_covers_nothing(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("# nothing yet\n")
    assert read_entries(path) == ()
