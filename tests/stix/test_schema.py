from concurrent.futures import ThreadPoolExecutor

import pytest

from pulsegate.errors import ConversionError
from pulsegate.model.indicator import IndicatorType
from pulsegate.stix import check, render, schema


@pytest.fixture
def good(pulse, make):
    return render(pulse, [make(IndicatorType.IPV4)])


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (b"", "not well-formed"),
        (b"<a>", "not well-formed"),
        (b"&lt;stix:STIX_Package/&gt;", "not well-formed"),
        (b"<a/>", "the root is a, not a STIX_Package"),
        (b'<STIX_Package xmlns="http://stix.mitre.org/stix-1"/>', "the package says version None, not 1.2"),
        (
            b'<STIX_Package xmlns="http://stix.mitre.org/stix-1" version="1.2"><x/></STIX_Package>',
            "not valid STIX 1.2, line 1",
        ),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "no document type declaration"),
    ],
)
def test_check_of_what_is_no_package(xml, message):
    with pytest.raises(ConversionError) as error:
        check(xml)
    assert message in str(error.value)


def test_check_of_a_package_in_the_other_version(good):
    with pytest.raises(ConversionError, match=r"says version 1\.2, not 1\.1\.1"):
        check(good, "1.1.1")


def test_check_of_a_term_outside_the_vocabulary(good):
    with pytest.raises(ConversionError, match="IP Watchlists"):
        check(good.replace(b">IP Watchlist<", b">IP Watchlists<"))


def test_check_of_a_missing_object_type(good):
    with pytest.raises(ConversionError, match="The type definition is abstract"):
        check(good.replace(b' xsi:type="AddressObj:AddressObjectType"', b""))


def test_check_of_a_package_that_is_too_large(good, monkeypatch):
    monkeypatch.setattr(schema, "MAX_BYTES", len(good) - 1)
    with pytest.raises(ConversionError, match=f"has {len(good)} bytes"):
        check(good)


def test_check_compiles_once(good):
    check(good)
    before = schema._compile.cache_info().misses
    check(good)
    assert schema._compile.cache_info().misses == before


def test_check_from_many_threads_at_once(good):
    bad = good.replace(b">IP Watchlist<", b">nothing<")

    def outcome(xml):
        try:
            check(xml)
        except ConversionError as error:
            return error.message
        return None

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(outcome, [good, bad] * 100))
    assert outcomes[::2] == [None] * 100
    assert len(set(outcomes[1::2])) == 1
    assert "nothing" in outcomes[1]
