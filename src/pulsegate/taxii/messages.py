"""What every service of ours does: name its message bindings, and answer any message on any path."""

from __future__ import annotations

from typing import Any

from libtaxii.constants import VID_TAXII_XML_10, VID_TAXII_XML_11

# The newer one first: MineMeld refuses a server that lists 1.0 before 1.1.
BINDINGS = [VID_TAXII_XML_11, VID_TAXII_XML_10]


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
