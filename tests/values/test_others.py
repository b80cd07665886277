"""CVE numbers, Bitcoin addresses, YARA rules, free text."""

import pytest

from pulsegate.model.indicator import IndicatorType as T


@pytest.mark.parametrize(
    "value",
    [
        "CVE-2017-11882",
        "cve-2017-11882",
        "CVE–2017–11882",
        "ＣＶＥ－２０１７－１１８８２",
        "CVE 2017 11882",
        "cve_2017_11882",
        "CVE2017-11882",
    ],
)
def test_cve_is_written_one_way(read, value):
    assert read(T.CVE, value) == (T.CVE, "CVE-2017-11882")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("CVE-2017-118", "not a CVE number: it is written CVE-2017-11882"),
        ("CVE-1017-11882", "not a CVE number: it is written CVE-2017-11882"),
        ("MS17-010", "not a CVE number: it is written CVE-2017-11882"),
        ("CVE-2017-11882, CVE-2018-0802", "not a CVE number: several values in one field"),
    ],
)
def test_what_is_no_cve_is_rejected(read, value, reason):
    assert read(T.CVE, value) == reason


def test_cve_keeps_its_zeros(read):
    assert read(T.CVE, "cve-2012-0158") == (T.CVE, "CVE-2012-0158")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # The genesis block's; the examples of BIP 173 and BIP 350.
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?amount=1", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"),
        ("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"),
        (
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ),
    ],
)
def test_bitcoin_address_keeps_the_case_that_counts(read, value, expected):
    assert read(T.BITCOIN_ADDRESS, value) == (T.BITCOIN_ADDRESS, expected)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1a1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "the checksum is wrong"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "the checksum is wrong"),
        # BIP 350: version 1 with bech32's checksum, version 0 with bech32m's.
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "the checksum is wrong"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "the checksum is wrong"),
        ("bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "bech32 in mixed case"),
        ("BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "bech32 of the wrong length"),
        ("bc1pw5dgrnzv", "bech32 of the wrong length"),
        ("LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1", "the address of another coin"),
        ("0x742d35Cc6634C0532925a3b844Bc454e4438f44e", "neither Base58 nor bech32"),
        ("1" * 300, "longer than 256 characters"),
    ],
)
def test_what_is_no_bitcoin_address_is_rejected(read, value, reason):
    assert read(T.BITCOIN_ADDRESS, value) == f"not a Bitcoin address: {reason}"


@pytest.mark.parametrize(
    ("value", "content", "expected"),
    [
        ("8BDE006928857365C12C2CCA438880B52572C609", "rule x {}", "8bde006928857365c12c2cca438880b52572c609"),
        ("Some_Rule", "", "Some_Rule"),
        (" My  rule\n", "", "My rule"),
        ("", "rule x {}", "92e55a570b10ae0662f47fef85cf7ac880216df6"),
    ],
)
def test_rule_has_a_name_or_gets_the_hash_of_its_text(read, value, content, expected):
    assert read(T.YARA, value, content) == (T.YARA, expected)


def test_rule_without_name_and_text_is_rejected(read):
    assert read(T.YARA, " ", " \n") == "the value is empty"


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        (T.MUTEX, " Global\\A b \n", "Global\\A b"),
        (T.MUTEX, '"x"', '"x"'),
        (T.MUTEX, "evil[.]com", "evil[.]com"),
        (T.FILE_PATH, '"C:\\Program Files\\Y.exe"', "C:\\Program Files\\Y.exe"),
        (T.FILE_PATH, "%TEMP%\\a&amp;b\x00.exe", "%TEMP%\\a&b.exe"),
        (T.FILE_PATH, "/tmp/日本語", "/tmp/日本語"),
        (T.FILE_PATH, "\u202aC:\\invoice\u202efdp.exe\u202c", "C:\\invoice\u202efdp.exe"),
        (T.OSQUERY, "SELECT *\r\nFROM x WHERE a &lt; 1;", "SELECT *\nFROM x WHERE a < 1;"),
    ],
)
def test_free_text_is_clean_and_keeps_its_case(read, declared, value, expected):
    assert read(declared, value) == (declared, expected)


def test_long_query_is_kept_and_a_long_path_is_not(read):
    assert read(T.OSQUERY, "x" * 60_000) == (T.OSQUERY, "x" * 60_000)
    assert read(T.FILE_PATH, "x" * 60_000) == "longer than 8,192 characters"
