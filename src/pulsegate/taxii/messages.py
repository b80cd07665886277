"""The message bindings that are served, the newer one first: MineMeld refuses a server that lists 1.0 before 1.1."""

from __future__ import annotations

from libtaxii.constants import VID_TAXII_XML_10, VID_TAXII_XML_11

BINDINGS = [VID_TAXII_XML_11, VID_TAXII_XML_10]
