"""A TAXII server that answers polls as told, byte by byte."""

from __future__ import annotations

import gzip
import re
from contextlib import contextmanager
from datetime import UTC, datetime

from packages import TAXII_11, package
from support import serving

STIX = "urn:stix.mitre.org:xml:1.2"
TAXII = ("X-TAXII-Content-Type", "urn:taxii.mitre.org:message:xml:1.1")


class Hostile:
    """``plans``: what each poll gets, the last one for ever; ``asked``: begin and end of each window that came."""

    def __init__(self, *plans):
        self.plans = list(plans)
        self.asked = []
        self.discovery = status("FAILURE", "no discovery here")

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
        if "Discovery_Request" in body:
            return reply(start_response, self.discovery)
        self.asked.append((label_of(body, "Exclusive_Begin"), label_of(body, "Inclusive_End")))
        plan = self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]
        begin, end = self.asked[-1]
        return reply(start_response, plan(begin, end) if callable(plan) else plan)

    @contextmanager
    def served(self):
        with serving(self) as address:
            yield address


def reply(start_response, given):
    """``given``: a body, or (HTTP status, headers, body as bytes or as pieces)."""
    code, headers, body = given if isinstance(given, tuple) else ("200 OK", [TAXII], given)
    start_response(code, [("Content-Type", "application/xml"), *headers])
    return [body] if isinstance(body, bytes) else body


def label_of(body, name):
    found = re.search(rf"{name}_Timestamp(?:_Label)?>([^<]+)<", body)
    return datetime.fromisoformat(found[1]) if found else None


def block(content, label="now", binding=STIX):
    moment = datetime.now(UTC).isoformat() if label == "now" else label
    told = f"<t:Timestamp_Label>{moment}</t:Timestamp_Label>" if moment else ""
    opening = f'<t:Content_Block><t:Content_Binding binding_id="{binding}"/><t:Content>'.encode()
    return opening + content + f"</t:Content>{told}</t:Content_Block>".encode()


def named(*names, label="now"):
    return b"".join(block(package(one), label) for one in names)


def response(blocks=b"", *, end="now", begin=None, more="", count="", before=b""):
    moment = datetime.now(UTC).isoformat() if end == "now" else end.isoformat() if isinstance(end, datetime) else end
    told = f"<t:Inclusive_End_Timestamp>{moment}</t:Inclusive_End_Timestamp>" if moment else ""
    told += f"<t:Record_Count>{count}</t:Record_Count>" if count else ""
    opening = f'<t:Poll_Response xmlns:t="{TAXII_11}" message_id="1" in_response_to="2" collection_name="c" {more}>'
    return before + opening.encode() + told.encode() + blocks + b"</t:Poll_Response>"


def honest(blocks=b"", **more):
    """Ends where it is asked to."""
    return lambda _, end: response(blocks, end=end or "now", **more)


def late(blocks, **more):
    """Blocks in the last window only, which has no end."""
    return lambda _, end: response(b"", end=end) if end else response(blocks, **more)


def status(kind, message="", detail=""):
    return (
        f'<t:Status_Message xmlns:t="{TAXII_11}" message_id="1" in_response_to="2" status_type="{kind}">{detail}'
        f"<t:Message>{message}</t:Message></t:Status_Message>"
    ).encode()


def wait(seconds):
    return f'<t:Status_Detail><t:Detail name="ESTIMATED_WAIT">{seconds}</t:Detail></t:Status_Detail>'


def packed(body):
    return "200 OK", [TAXII, ("Content-Encoding", "gzip")], gzip.compress(body)
