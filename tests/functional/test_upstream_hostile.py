"""An upstream that misbehaves: each time a clear error, nothing lost, and the next pull goes on."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from functional.hostile_upstream import (
    TAXII,
    Hostile,
    block,
    honest,
    late,
    named,
    packed,
    response,
    status,
    wait,
)  # fmt: skip
from functional.upstream_world import DAY, PASSWORD, Gate
from packages import TAXII_11, package
from pulsegate.errors import (
    UpstreamError,
    UpstreamRateLimitedError,
    UpstreamTooLargeError,
    UpstreamUnavailableError,
)  # fmt: skip
from sync.fakes import Naps

PENDING = "".join(
    f'<t:Detail name="{name}">{value}</t:Detail>'
    for name, value in (("ESTIMATED_WAIT", 9), ("RESULT_ID", "r"), ("WILL_PUSH", "false"))
)
PENDING = f"<t:Status_Detail>{PENDING}</t:Status_Detail>"
TAKEN_ALL_THE_SAME = ("torn", "no labels")  # a package that came before the fault
END = b"</t:Poll_Response>"
BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
PLAIN = [("Content-Type", "text/html")]


@pytest.fixture
def here(database):
    return Gate(database)


def pulled(here, address, **options):
    """The error of a pull, without addresses and dates; or None."""
    told = None
    try:
        here.pull(address, backfill=2 * DAY, **options)
    except UpstreamError as error:
        told = error
    if told is None:
        return None
    assert PASSWORD not in repr(told)
    assert str(told).startswith(f"partners of {address}/taxii/poll: "), str(told)
    return type(told), re.sub(r"\d{4}-\d\d-\d\dT[\d:.+]+", "…", str(told).split(": ", 1)[1])


def old(days):
    return datetime.now(UTC) - timedelta(days=days)


FAULTS = {
    "retry": (status("RETRY", "later", wait(7)), UpstreamRateLimitedError, "it answered RETRY, saying 'later'"),
    "failure": (status("FAILURE", "broken"), UpstreamUnavailableError, "it answered FAILURE, saying 'broken'. What is"),
    "unauthorized": (
        status("UNAUTHORIZED", f"no {PASSWORD}"), UpstreamError,
        "it answered UNAUTHORIZED, saying 'no …'. Check username and password",
    ),
    "unauthorized 401": (
        ("401 Unauthorized", [TAXII], status("UNAUTHORIZED")), UpstreamError, "it answered UNAUTHORIZED. Check username",
    ),
    "plain 401": (("401 Unauthorized", PLAIN, b"no"), UpstreamError, "it refuses the account (401). Check username"),
    "plain 503": (("503 Away", [("Retry-After", "9")], b"no"), UpstreamRateLimitedError, "it answered 503 and asks"),
    "plain 502": (("502 Bad", [], b"no"), UpstreamUnavailableError, "it answered 502. What is stored"),
    "not found": (status("NOT_FOUND"), UpstreamError, "it answered NOT_FOUND. Check collection"),
    "pending": (status("PENDING", detail=PENDING), UpstreamError, "it answered PENDING: it wants to answer later"),
    "html": (("200 OK", PLAIN, b"<html/>"), UpstreamError, "it answered 200 with something that is no TAXII message. Write"),
    "taxii 1.0": (
        ("200 OK", [("X-TAXII-Content-Type", "urn:taxii.mitre.org:message:xml:1.0")], b"<a/>"), UpstreamError,
        "it answered 200 with a TAXII message of the kind 'urn:taxii.mitre.org:message:xml:1.0'",
    ),
    "redirect": (
        ("302 Found", [("Location", "http://elsewhere.example/")], b""), UpstreamError,
        "it redirects to 'http://elsewhere.example/'; not followed, as the password would go there",
    ),
    "success": (status("SUCCESS"), UpstreamError, "it answered SUCCESS. Write the address"),
    "other message": (response().replace(b"Poll_Resp", b"Pool_Resp"), UpstreamError, "its answer to a poll is something else than"),
    "empty": (b"", UpstreamError, "its answer can't be read"),
    "torn": (lambda *_: response(named("a.example"))[:-10], UpstreamError, "its answer can't be read"),
    "doctype": (response(before=BOMB), UpstreamError, "its answer has a document type declaration"),
    "end before begin": (
        lambda begin, _: response(end=begin - DAY), UpstreamError, "its answer's end label, …, does not lie after the begin",
    ),
    "outside": (
        lambda begin, end: response(named("z.example", label=(begin - DAY).isoformat()), end=end), UpstreamError,
        "it sent a content block labelled …, outside the window from … to now. Set segment: none",
    ),
    "no result id": (honest(more='more="true"'), UpstreamError, "it says that more parts follow, but not by which"),
    "empty parts": (
        honest(more='more="true" result_id="r"'), UpstreamError, "part 2 of its result is empty, but it says that more",
    ),
    "bad gzip": (("200 OK", [TAXII, ("Content-Encoding", "gzip")], b"x"), UpstreamUnavailableError, "its answer came damaged"),
    "other encoding": (("200 OK", [TAXII, ("Content-Encoding", "br")], b"x"), UpstreamError, "its answer is encoded as 'br'"),
    "no labels": (
        lambda _, end: response(named("a.example", label=""), end=""), UpstreamError, "its answer for the window from",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_told_and_loses_nothing(here, fault):
    answer, kind, words = FAULTS[fault]
    server = Hostile(late(named("first.example")))
    with server.served() as address:
        assert pulled(here, address) is None
        reached = here.source().watermark
        server.plans = [answer]
        told = pulled(here, address)
        assert told is not None
        assert (told[0], told[1][: len(words)]) == (kind, words)
        assert (here.source().watermark, here.source().failing is not None) == (reached, True)
        server.plans = [late(named("first.example", "later.example"))]
        assert pulled(here, address) is None
        assert here.source().watermark > reached
    left = ["a.example"] if fault in TAKEN_ALL_THE_SAME else []
    assert here.held() == [*left, "first.example", "later.example"]
    assert (here.source().failing, here.quarantined()) == (None, [])


def test_end_that_is_named_must_be_answered(here):
    def nameless(_, end):
        label = (end or datetime.now(UTC)) - DAY / 2
        return response(named("a.example", label=label.isoformat()), end="")

    server = Hostile(nameless)
    with server.served() as address:
        kind, words = pulled(here, address)
        assert kind is UpstreamError
        assert words.startswith("its answer for the window from … to … has no end label, by which the next poll would")
        assert words.endswith("Set segment: none, to poll everything each time, if that server has no such labels")
        assert here.held() == ["a.example"]
        assert here.source().watermark is None
        assert pulled(here, address, segment=None) is None  # as it says
    assert server.asked[-1] == (None, None)
    assert here.held() == ["a.example"]


def test_server_that_tells_no_end_of_its_own_is_followed_by_labels(here):
    """A stock OpenTAXII repeats the end that it is asked for, and tells none where it is asked for none."""
    label = old(0.5).replace(microsecond=123456)
    server = Hostile(late(named("a.example", label=label.isoformat()), end=""))
    with server.served() as address:
        assert pulled(here, address) is None
        assert here.source().watermark == label
        server.plans = [honest()]
        assert pulled(here, address) is None
    assert (server.asked[-1], here.held()) == ((label, None), ["a.example"])


def test_waits_grow_and_windows_shrink_until_it_answers(here):
    naps = Naps()
    cut = ("200 OK", [TAXII, ("Content-Length", "100000")], response(named("a.example"))[:-30])
    server = Hostile(status("RETRY", "", wait(7)), status("FAILURE"), cut, honest(), honest(), late(named("b.example")))
    with server.served() as address:
        assert pulled(here, address, naps=naps) is None
    assert naps.taken == [7.0, 2.0, 4.0]
    lengths = [end - begin for begin, end in server.asked if end]
    assert lengths[:4] == [DAY, DAY, DAY / 2, DAY / 4]
    assert [begin for begin, _ in server.asked[4:]] == [end for _, end in server.asked[3:-1]]
    assert here.held() == ["b.example"]


def test_pull_goes_on_at_the_window_that_failed(here):
    server = Hostile(honest(named("a.example", label=old(1.5).isoformat())), status("DENIED", "no"))
    with server.served() as address:
        assert pulled(here, address)[0] is UpstreamError
        server.plans = [late(named("a.example", "b.example"))]
        assert pulled(here, address) is None
    assert server.asked[1] == server.asked[2]
    assert here.held() == ["a.example", "b.example"]


@pytest.mark.parametrize("form", ["plain", "gzip"])
def test_answer_without_end_is_given_up_and_what_came_is_kept(here, form):
    def endless(begin, end):
        def pieces():
            yield response(
                named("a.example", label=(begin + timedelta(hours=1)).isoformat()), end=end or "now"
            ).replace(END, b"")
            while True:
                yield b" " * 65_536

        sent = pieces()
        return packed(next(sent) + b" " * 12_000_000) if form == "gzip" else ("200 OK", [TAXII], sent)

    with Hostile(endless).served() as address:
        kind, words = pulled(here, address, max_block=1_000_000)
    assert (kind, words.partition(". ")[0]) == (
        UpstreamTooLargeError,
        "a content block, or what stands in the place of one, is larger than 4,000,000 bytes",
    )
    assert here.held() == ["a.example"]


def test_result_that_is_too_large_is_asked_for_in_shorter_windows(here):
    def many(begin, end):
        blocks = b"".join(
            block(
                package(f"n{number}.example", title="x" * 5000), (begin + timedelta(hours=6 * number + 1)).isoformat()
            )
            for number in range(12)
            if end is None or begin + timedelta(hours=6 * number + 1) <= end
        )
        return response(blocks if end else b"", end=end or "now")

    server = Hostile(many)
    with server.served() as address:
        assert pulled(here, address, client={"max_answer": 15_000}) is None
    assert {end - begin for begin, end in server.asked if end} == {DAY, DAY / 2}


def test_slow_answer_is_given_up(here):
    def dripping(begin, end):
        def pieces():
            yield response(end=end or "now").replace(END, b"")
            for _ in range(100):
                time.sleep(0.05)
                yield b" "

        return "200 OK", [TAXII], pieces()

    with Hostile(dripping).served() as address:
        kind, words = pulled(here, address, client={"patience": 0.2})
    assert (kind, words.partition("complete")[0]) == (UpstreamUnavailableError, "no content block was ")


def test_silent_server_is_given_up(here):
    def silent(begin, end):
        time.sleep(1.5)
        return response()

    with Hostile(silent).served() as address:
        kind, words = pulled(here, address, client={"timeout": (0.2, 0.2)})
    assert (kind, words.partition(";")[0]) == (UpstreamUnavailableError, "it didn't answer")


def test_no_server_is_told(here):
    with Hostile(b"").served() as address:
        pass
    kind, words = pulled(here, address)
    assert (kind, words.partition(". ")[0]) == (UpstreamUnavailableError, "it can't be reached (Connection refused)")


def test_what_cannot_be_taken_is_quarantined_and_stops_nothing(here):
    good, large = package("good.example"), package("large.example", title="x" * 200_000)
    sent = [
        block(package("a.example").replace(b"D:Value", b"D:Walue")),
        block(b'{"type": "bundle"}', binding="urn:stix.mitre.org:json:2.1"),
        block(b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'/>", binding="urn:oasis:names:tc:emergency:cap:1.2"),
        block(package("b.example", version="1.1")),
        block(b"<![CDATA[" + good + b"]]>"),
        block(large),
        block(b"<a>" * 150 + b"</a>" * 150),
        block(b""),
        block(good).replace(b'binding_id="urn:stix.mitre.org:xml:1.2"', b""),
        block(good).replace(b"<t:Content>", b"<t:Contents>").replace(b"</t:Content>", b"</t:Contents>"),
        block(good, label="yesterday"),
    ]
    server = Hostile(late(b"".join(sent)))
    with server.served() as address:
        assert pulled(here, address, max_block=100_000) is None
        assert here.held() == ["good.example"]
        found = here.quarantined()
        assert {(kind, source) for kind, _, _, source in found} == {("block", "other")}
        assert [reason[:40] for _, _, reason, _ in found] == [
            "not valid STIX 1.2, line 1: Element '{ht",
            "its content binding is urn:stix.mitre.or",
            "its content binding is urn:oasis:names:t",
            "it is a package of STIX version 1.1; 1.1",
            "its content is text (escaped XML, or CDA",
            "it has 200770 bytes, more than the 10000",
            "its elements are nested more than 100 de",
            "its content is text (escaped XML, or CDA",
            "its content binding is ; send urn:stix.m",
        ]
        server.plans = [late(named("good.example")), late(b"".join(sent[:2] + sent[-1:]))]
        assert pulled(here, address, compare=True, max_block=100_000) is None
    assert len(here.quarantined()) == 2  # those that are sent no more are forgotten
    assert here.held() == ["good.example"]


def test_poll_service_elsewhere_gets_no_password(here):
    discovered = (
        f'<t:Discovery_Response xmlns:t="{TAXII_11}" message_id="1" in_response_to="2"><t:Service_Instance '
        'service_type="POLL" service_version="urn:taxii.mitre.org:services:1.1" available="true"><t:Protocol_Binding>'
        "urn:taxii.mitre.org:protocol:http:1.0</t:Protocol_Binding><t:Address>http://elsewhere.example/poll</t:Address>"
        "<t:Message_Binding>urn:taxii.mitre.org:message:xml:1.1</t:Message_Binding></t:Service_Instance>"
        "</t:Discovery_Response>"
    ).encode()
    server = Hostile(b"")
    server.discovery = discovered
    with server.served() as address:
        _, words = pulled(here, address)
    assert words.startswith(
        "its discovery service names a poll service at another address, 'http://elsewhere.example/poll'"
    )
    assert server.asked == []


def test_server_that_gets_nowhere_is_told(here):
    with Hostile(lambda begin, _: response(end=begin)).served() as address:
        kind, words = pulled(here, address)
    assert (kind, words[:55]) == (UpstreamError, "its answer's end label, …, does not lie after the begin")
