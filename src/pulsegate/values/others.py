"""CVE numbers, YARA rules, and the types whose value is free text: file paths, mutexes, osquery's queries."""

from __future__ import annotations

import re
from hashlib import sha1

from pulsegate.model.indicator import IndicatorType
from pulsegate.values.dirt import tidy
from pulsegate.values.fault import EMPTY, SEVERAL, NoValueError, limit
from pulsegate.values.hashes import is_hex
from pulsegate.values.text import clean_line, clean_text, trimmed

LONGEST = 8_192
LONGEST_QUERY = 65_536
_LONGEST_RULE_NAME = 512
_CVE = re.compile(
    r"CVE[-_\s\u2010-\u2015\u2212]?((?:19|20)[0-9]{2})[-_\s\u2010-\u2015\u2212]([0-9]{4,19})", re.IGNORECASE
)


def cve(value: str) -> str:
    """``CVE-2017-11882``: upper case, plain hyphens. Raises NoValueError."""
    text = tidy(value)
    if match := _CVE.fullmatch(text):
        return f"CVE-{match[1]}-{match[2]}"
    raise NoValueError(
        f"not a CVE number: {SEVERAL if len(_CVE.findall(text)) > 1 else 'it is written CVE-2017-11882'}"
    )


def rule(value: str, content: str = "") -> str:
    """What names a YARA rule: OTX's SHA-1 of it in lower case, or another name as it is. Raises NoValueError.

    A rule that came without a name gets the SHA-1 of its text, which is what OTX gives.
    """
    name = clean_line(value)
    limit(name, _LONGEST_RULE_NAME)
    if not name and content.strip():
        return sha1(content.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    if not name:
        raise NoValueError(EMPTY)
    return name.lower() if is_hex(name.lower()) else name


def free_text(type_: IndicatorType, value: str) -> str:
    """A file path, mutex or query: clean text in its own case. Raises NoValueError when it is empty or too long."""
    limit(value, LONGEST_QUERY)
    text = trimmed(clean_text(value))
    if type_ is IndicatorType.FILE_PATH and text.startswith('"') and text.endswith('"'):
        text = text.strip('"').strip()
    if not text:
        raise NoValueError(EMPTY)
    limit(text, LONGEST_QUERY if type_ is IndicatorType.OSQUERY else LONGEST)
    return text
