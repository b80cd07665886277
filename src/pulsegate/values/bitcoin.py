"""Bitcoin addresses, each checked by its checksum.

Sources: Base58Check of the Bitcoin developer reference, BIP 173 (bech32, witness version 0), BIP 350 (bech32m, later).
"""

from __future__ import annotations

import re
from hashlib import sha256

from pulsegate.values.dirt import tidy
from pulsegate.values.fault import NoValueError, limit

_LONGEST_INPUT = 256
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_LENGTHS = range(25, 37)
_PAYLOAD = 25  # version, 20 bytes, checksum of 4
_VERSIONS = frozenset({0x00, 0x05, 0x6F, 0xC4})  # P2PKH and P2SH, main and test network
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_ADDRESS = re.compile(rf"(bc|tb|bcrt)1([{_BECH32}]{{8,87}})")
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONSTANT = 1
_BECH32M_CONSTANT = 0x2BC830A3
_PROGRAM = range(2, 41)
_PROGRAM_VERSION_0 = (20, 32)
_HIGHEST_VERSION = 16

WHAT = "not a Bitcoin address"


def bitcoin_address(value: str) -> str:
    """The address: Base58 in its own case, bech32 in lower case; ``bitcoin:`` and a payment's query are dropped.

    Raises NoValueError.
    """
    text = tidy(value)
    limit(text, _LONGEST_INPUT, WHAT)
    if text[:8].lower() == "bitcoin:":
        text = text[8:].partition("?")[0]
    if match := _BECH32_ADDRESS.fullmatch(text.lower()):
        _check_bech32(text, match[1], [_BECH32.index(character) for character in match[2]])
        return text.lower()
    _check_base58(text)
    return text


def _check_base58(text: str) -> None:
    if len(text) not in _BASE58_LENGTHS or any(character not in _BASE58 for character in text):
        raise NoValueError(f"{WHAT}: neither Base58 nor bech32")
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    zeros = len(text) - len(text.lstrip("1"))
    payload = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(payload) != _PAYLOAD or sha256(sha256(payload[:-4]).digest()).digest()[:4] != payload[-4:]:
        raise NoValueError(f"{WHAT}: the checksum is wrong")
    if payload[0] not in _VERSIONS:
        raise NoValueError(f"{WHAT}: the address of another coin")


def _check_bech32(text: str, network: str, digits: list[int]) -> None:
    if text != text.lower() and text != text.upper():
        raise NoValueError(f"{WHAT}: bech32 in mixed case")
    version = digits[0]
    expanded = [ord(c) >> 5 for c in network] + [0] + [ord(c) & 31 for c in network]
    if _polymod(expanded + digits) != (_BECH32M_CONSTANT if version else _BECH32_CONSTANT):
        raise NoValueError(f"{WHAT}: the checksum is wrong")
    bits = (len(digits) - 7) * 5
    padding = bits % 8
    length = bits // 8
    padded = padding > 4 or digits[-7] & ((1 << padding) - 1)  # noqa: PLR2004  BIP 173: fewer than 5 bits, all zero
    if version > _HIGHEST_VERSION or length not in (_PROGRAM if version else _PROGRAM_VERSION_0) or padded:
        raise NoValueError(f"{WHAT}: bech32 of the wrong length")


def _polymod(digits: list[int]) -> int:
    checksum = 1
    for digit in digits:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ digit
        for bit, generator in enumerate(_GENERATORS):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum
