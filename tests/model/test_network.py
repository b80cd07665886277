"""Sets of addresses and networks."""

from __future__ import annotations

import pytest

from pulsegate.model.network import Networks

SOME = Networks.of(["192.0.2.7", " 198.51.100.0/24", "2001:db8::/32", "10.1.2.3/8"])


@pytest.mark.parametrize(
    "address", ["192.0.2.7", "198.51.100.255", "2001:db8::1", "2001:db8::1%eth0", "::ffff:192.0.2.7", "10.255.0.1"]
)
def test_address_is_in_it(address: str) -> None:
    assert address in SOME


@pytest.mark.parametrize("address", ["192.0.2.8", "::1", "", "localhost", "192.0.2.7:80", "::ffff:192.0.2.8"])
def test_address_is_not_in_it(address: str) -> None:
    assert address not in SOME


def test_nothing_is_in_an_empty_one() -> None:
    assert "127.0.0.1" not in Networks()


def test_name_is_refused() -> None:
    with pytest.raises(ValueError, match="proxy"):
        Networks.of(["proxy.example.org"])
