"""A pulse becomes STIX 1.2 packages: a mapping table, one small function for each CybOX object; pure, no I/O."""

from pulsegate.stix.blocks import Block, Failure, blocks
from pulsegate.stix.mapping import MAPPING, Form, expressible
from pulsegate.stix.package import render
from pulsegate.stix.received import VERSIONS, Package, cut_out, examine, receive, receive_content
from pulsegate.stix.schema import check

__all__ = [
    "MAPPING",
    "VERSIONS",
    "Block",
    "Failure",
    "Form",
    "Package",
    "blocks",
    "check",
    "cut_out",
    "examine",
    "expressible",
    "receive",
    "receive_content",
    "render",
]
