"""Packages of others: cut out of a message and checked."""

import pytest
from lxml import etree

from packages import NAMESPACES, TAXII_11, declared, package
from pulsegate.errors import ContentError, UnsupportedContentError
from pulsegate.stix import receive
from pulsegate.stix.received import MAX_DEPTH, cut_out

MANY = 5_000_000


def within(content, around="", inner=""):
    """The element of ``content`` within a message that declares more namespaces."""
    text = f'<t:Message xmlns:t="{TAXII_11}" {around}><t:Content {inner}>'.encode() + content
    return etree.fromstring(text + b"  </t:Content> tail</t:Message>")[0][0]


def canonical(xml):
    return etree.tostring(etree.fromstring(xml), method="c14n")


@pytest.mark.parametrize("version", ["1.1.1", "1.2"])
def test_package_is_taken_as_it_is(version):
    sent = package("a.example", "b.example", version=version)
    taken = receive(within(sent), MANY)
    assert (taken.content, taken.version, taken.indicators) == (sent, version, 2)


def test_package_without_indicators():
    assert receive(within(package()), MANY).indicators == 0


def test_related_package_counts():
    inner = package("b.example").replace(b"stix:STIX_Package", b"stix:Package").decode()
    related = f"<stix:Related_Packages><stix:Related_Package>{inner}</stix:Related_Package></stix:Related_Packages>"
    outer = package("a.example").replace(b"</stix:STIX_Package>", related.encode() + b"</stix:STIX_Package>")
    assert receive(within(outer), MANY).indicators == 2


def test_namespaces_of_the_message_come_along_only_where_they_are_used():
    unused = ' xmlns:unused="urn:unused" xmlns:ta="urn:ta" xmlns="urn:default"'
    bare = package("a.example", namespaces=declared("ind", "xsi"))
    element = within(bare, declared("stix", "cybox", "example") + unused, declared("D"))
    taken = receive(element, MANY)
    assert canonical(taken.content) == canonical(package("a.example"))
    root = etree.fromstring(taken.content)
    assert root.nsmap == NAMESPACES


def test_prefix_that_only_a_type_or_an_id_uses_comes_along():
    element = within(package("a.example", namespaces=""), declared(*NAMESPACES))
    assert b'xsi:type="D:DomainNameObjectType"' in cut_out(element)
    assert canonical(receive(element, MANY).content) == canonical(package("a.example"))


def test_default_namespace_of_the_message_comes_along_where_it_is_used():
    element = within(b"<x><y/></x>", 'xmlns="urn:default"')
    assert cut_out(element) == b'<x xmlns="urn:default"><y/></x>'


def test_own_declarations_stay_although_nothing_uses_them():
    own = declared(*NAMESPACES) + ' xmlns:t="urn:other" xmlns:own="urn:own"'
    sent = package("a.example", namespaces=own)
    assert canonical(receive(within(sent, 'xmlns:own="urn:theirs"'), MANY).content) == canonical(sent)


@pytest.mark.parametrize(
    "attribute", ["a=\" xmlns:t='urn:x'\"", 'a="&quot; xmlns:t=&quot;urn:x&quot;"', 'a="&gt; &lt;"']
)
def test_attribute_that_looks_like_a_declaration_is_left_alone(attribute):
    sent = f"<x {attribute}/>".encode()
    assert canonical(cut_out(within(sent))) == canonical(sent)


@pytest.mark.parametrize(
    "title", ["日本語 😀", "&amp;lt; &amp; &lt;b&gt; ]]&gt;", "<![CDATA[<b> & ]]>", "&#x1F98A;&#10;&#9;x"]
)
def test_text_is_what_was_sent(title):
    sent = package("a.example", title=title)
    assert canonical(receive(within(sent), MANY).content) == canonical(sent)


def test_package_of_five_megabytes():
    sent = package("a.example", title="x" * 4_990_000)
    assert receive(within(sent), MANY).content == sent
    with pytest.raises(ContentError, match=f"it has {len(sent)} bytes, more than the {len(sent) - 1} that are taken"):
        receive(within(sent), len(sent) - 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<a/>", "its root is a, not a STIX_Package of STIX 1.x"),
        (package().replace(b"http://stix.mitre.org/stix-1", b"http://stix.example/stix-1"), "not a STIX_Package"),
        (package("a.example").replace(b"STIX_Package", b"Package"), "not a STIX_Package"),
        (package("a.example").replace(b"D:Value", b"D:Walue"), "not valid STIX 1.2, line 1: "),
        (package("a.example").replace(b'"D:Domain', b'"X:Domain'), "not valid STIX 1.2, line 1: "),
        (package("a.example").replace(b'"example:p', b'"none:p'), "not valid STIX 1.2, line 1: "),
        (package(title="x<?php x?>"), "processing instruction"),
    ],
)
def test_bad_package_is_refused_with_the_reason(content, reason):
    with pytest.raises(ContentError) as error:
        receive(within(content), MANY)
    assert reason in error.value.message
    assert not isinstance(error.value, UnsupportedContentError)


@pytest.mark.parametrize("version", ["1.0", "1.0.1", "1.1", "1.2.1", "2.0", ""])
def test_other_version_is_unsupported(version):
    with pytest.raises(UnsupportedContentError, match=rf"STIX version {version}; 1\.1\.1 and 1\.2 are taken"):
        receive(within(package("a.example", version=version)), MANY)


def test_package_that_says_another_version_than_it_is():
    """1.2 has elements that 1.1.1 doesn't."""
    new = package("a.example", version="1.1.1").replace(
        b"</stix:Indicators>", b"</stix:Indicators><stix:Reports><stix:Report/></stix:Reports>"
    )
    with pytest.raises(ContentError, match=r"not valid STIX 1\.1\.1"):
        receive(within(new), MANY)
    receive(within(new.replace(b'version="1.1.1"', b'version="1.2"')), MANY)


def test_depth_is_bounded():
    def nested(depth):
        inner = b'<x xmlns="urn:x">' + b"<x>" * (depth - 1) + b"</x>" * depth
        return etree.fromstring(inner)

    from pulsegate.stix.received import _check_nodes

    _check_nodes(nested(MAX_DEPTH))
    with pytest.raises(ContentError, match=f"nested more than {MAX_DEPTH} deep"):
        _check_nodes(nested(MAX_DEPTH + 1))
