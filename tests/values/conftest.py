"""How the tables of this folder read a value: the type and normal form, or the reason."""

import pytest

from pulsegate.model.indicator import RawIndicator, Rejection
from pulsegate.values.normalise import normalise


@pytest.fixture(scope="session")
def read():
    """``read(type, value)``: (type, normal form) of what was kept, or the reason as text."""

    def _read(type_, value, content=""):
        found = normalise(RawIndicator(type=type_, value=value, content=content))
        return found.reason if isinstance(found, Rejection) else (found.type, found.value)

    return _read
