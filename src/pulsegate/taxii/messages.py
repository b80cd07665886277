"""What every service of ours does: read messages, name its message bindings, and answer any message on any path."""

from __future__ import annotations

from typing import Any

from libtaxii.constants import VID_TAXII_XML_10, VID_TAXII_XML_11
from opentaxii.taxii.exceptions import BadMessageStatus
from opentaxii.taxii.utils import parse_message

# The newer one first: MineMeld refuses a server that lists 1.0 before 1.1.
BINDINGS = [VID_TAXII_XML_11, VID_TAXII_XML_10]


def read_message(binding: str, body: bytes) -> Any:
    """The libtaxii message in ``body``; BadMessageStatus when it is none of that message binding.

    Some texts are valid by the schema and yet no values that can be worked with: labels without a zone, in the year
    12026, at 24:00:00, part numbers with thousands of digits.
    """
    try:
        return parse_message(binding, body)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise BadMessageStatus(f"The message can't be read: {error}", e=error) from error


class AnyMessage:
    """For OpenTAXII's services: a message that another service is for goes there. QRadar posts polls to discovery."""

    supported_message_bindings = BINDINGS
    handlers: Any
    server: Any

    def process(self, headers: Any, message: Any) -> Any:
        if message.message_type not in self.handlers:
            for other in self.server.get_services():
                if message.message_type in other.handlers:
                    return other.process(headers, message)
        return super().process(headers, message)  # type: ignore[misc]  # of the OpenTAXII service beside this class
