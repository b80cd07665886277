"""What a server tells of itself may be anything: it never breaks the check."""

from __future__ import annotations

import pytest
from lxml import etree

from pulsegate.checking import client, services
from pulsegate.otx.transport import origin

ADDRESS = "https://taxii.example.com/taxii/discovery"
TAXII = "http://taxii.mitre.org/messages/taxii_xml_binding-1.1"


@pytest.mark.parametrize("told", ["http://[x", "http://h:99999/", "http://[::1", "", "//"])
def test_address_that_is_no_url_stays_as_it_is_told(told):
    message = (
        f'<Discovery_Response xmlns="{TAXII}"><Service_Instance service_type="POLL"><Address>{told}</Address>'
        "</Service_Instance></Discovery_Response>"
    )
    found = services._read(etree.fromstring(message), ADDRESS)
    assert len(found.polls) == bool(told)


@pytest.mark.parametrize(
    "date", ["", "now", "Mon, 01 Jan 2024 00:00:00 +99999999999999999", "Fri, 31 Dec 9999 23:59:59 -0100"]
)
def test_date_that_is_none_tells_no_clock(date):
    assert client._clock({"Date": date}, 1.0) is None


def test_origin():
    assert origin("https://Host/a") == origin("https://host:443/b") != origin("http://host/a")
    with pytest.raises(ValueError, match="out of range"):
        origin("http://h:99999/")
