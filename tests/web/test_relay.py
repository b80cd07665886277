"""The page of the relay: how it stands, bundles by hand, and senders that are forgotten."""

from __future__ import annotations

import html
import io
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pulsegate.cli.relaying import Receiving, Sending
from pulsegate.cli.setup import Installation
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.relay import ways
from pulsegate.relay.manifest import Head, canonical
from pulsegate.settings.relay import RelaySettings, TrustedKeySettings
from pulsegate.store import audit, collections, ledger, relay, relay_notes, sources
from pulsegate.store.relay import Entry
from pulsegate.store.tables import drafts as drafts_table
from pulsegate.web import app
from relays import Outside
from sync.pulls import served
from web.conftest import Browser
from web.filled import work
from web.seen import beside, changes, shown

HOSTILE = "<script>alert(1)</script>"
SECOND = timedelta(seconds=1)


@pytest.fixture
def outside(new_database, tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    made = Outside(new_database(tmp_path / "sender.db"), folder)
    made.put(1, "one.example.org", name=f"First {HOSTILE}")
    made.put(2, "two.example.org")
    yield made
    made.database.close()


def having(site, outside=None, **more):
    """The site with these settings of the relay; ``outside``: its key is trusted."""
    trust = [TrustedKeySettings(name="north", key=outside.public)] if outside else []
    relayed = RelaySettings.model_validate({"trust": trust, **more})
    return replace(site, settings=site.settings.model_copy(update={"relay": relayed}))


@pytest.fixture
def here(site, outside):
    """A receiver that trusts the key of the sender."""
    with site.database.write() as connection:
        collections.put(connection, Collection("subscribed", CollectionKind.SUBSCRIBED))
        ledger.open_(connection, "subscribed")
    return having(site, outside)


def as_(site, name):
    made = Browser(app.create(site))
    assert made.log_in(name).status_code == 303
    made.get("/admin/me")
    return made


def send(site, browser, content, name="a.pgb"):
    """Send a file in, and have it looked at; gives its page and that page's address."""
    browser.get("/admin/relay/take")
    answer = browser.post("/admin/relay/take", {"file": (io.BytesIO(content), name)})
    assert answer.status_code == 303, answer.text
    waiting = browser.get(answer.location).text
    assert "Take it and publish" not in waiting
    (task,) = work(site)
    assert task.error is None
    return words(browser.get(answer.location).text), answer.location


def take(site, browser, content, name="a.pgb"):
    text, address = send(site, browser, content, name)
    assert "Take it and publish" in text, text
    assert browser.post(f"{address}/take").location == "/admin/relay/"
    (task,) = work(site)
    return task


def words(page):
    """What the page says, without its tags."""
    body = page.partition("<main")[2].partition("</main>")[0] or page
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def numbers(site, origin="outside"):
    with site.database.read() as connection:
        found = relay.last_head(connection, origin)
        return found.sequence if found else None


def kept(site):
    with site.database.read() as connection:
        return len(connection.execute(drafts_table.select()).all())


def everything(site):
    """What a trial must not change."""
    with site.database.read() as connection:
        logged = relay.logged(connection, None, None, limit=100)
        rows = [relay.parts(connection, "outside"), relay.signed_keys(connection), sources.every(connection)]
        return [logged, *rows, numbers(site), audit.every(connection, limit=100)]


def test_relay_is_shown_only_where_there_is_one(site, outside):
    browser = as_(site, "vera")
    assert ">Relay</a>" not in browser.get("/admin/audit/").text
    assert "There is no relay." in browser.get("/admin/relay/").text
    for more in ({"inbox": outside.folder}, {"key": outside.key}):
        assert ">Relay</a>" in as_(having(site, outside, **more), "vera").get("/admin/audit/").text
    with site.database.write() as connection:
        relay.log(connection, Entry(relay.IN, "a.pgb", relay.REFUSED, reason="is no bundle"))
    assert ">Relay</a>" in browser.get("/admin/audit/").text
    assert "is no bundle" in browser.get("/admin/relay/").text


def test_trial_changes_nothing_and_tells_what_would_come(here, outside):
    before, browser = everything(here), as_(here, "ann")
    text, address = send(here, browser, outside.bundle(), f"{HOSTILE}.pgb")
    for said in ("outside", "north", "full snapshot", "Pulses: 2 new, 0 changed", f"First {HOSTILE} (ann)"):
        assert said in text
    assert HOSTILE not in browser.get(address).text
    assert everything(here) == before
    assert served(here.database) == []
    assert kept(here) == 1
    assert browser.post(f"{address}/drop").location == "/admin/relay/"
    assert (kept(here), numbers(here)) == (0, None)
    assert "It was taken or dropped already." in words(browser.get(address).text)
    assert browser.post(f"{address}/take").status_code == 409
    assert work(here) == []


def test_bundle_is_taken_published_recorded_and_shown(here, outside):
    browser = as_(here, "ann")
    task = take(here, browser, outside.bundle(), "first.pgb")
    assert (task.error, task.account, task.result["added"]) == (None, "ann", 4)  # subscribed, and the author's
    assert sorted(served(here.database)) == ["one.example.org", "two.example.org"]
    outside.put(1, "one.example.org", "more.example.org")
    outside.remove(2)
    text, address = send(here, browser, outside.bundle(), "second.pgb")
    assert "delta since number 1" in text
    assert "Pulses: 0 new, 1 changed, 1 leaving" in text
    browser.post(f"{address}/take")
    (task,) = work(here)
    assert sorted(served(here.database)) == ["more.example.org", "one.example.org"]
    assert changes(here) == [("ann", "relay.take", "outside"), ("ann", "relay.take", "outside")]
    with here.database.read() as connection:
        told = [one.after for one in audit.every(connection, limit=9)]
    assert told == [
        {"file": "second.pgb", "origin": "outside", "sequence": 2},
        {"file": "first.pgb", "origin": "outside", "sequence": 1},
    ]
    assert kept(here) == 0
    page = browser.get("/admin/relay/").text
    text = words(page)
    spaced = " ".join(outside.fingerprint[place : place + 16] for place in range(0, 64, 16))
    assert text.count(spaced) == 2  # of the sender, and among the trusted ones
    for said in ("Number 2 of outside was taken. Pulses: 0 new, 1 changed, 1 withdrawn.", "up to date", "trusted"):
        assert said in text
    assert 'class="late"' not in page
    assert "relay.take" in browser.get("/admin/audit/?action=relay").text


def test_bundle_that_was_taken_before_is_not_offered(here, outside):
    browser, content = as_(here, "ann"), outside.bundle()
    take(here, browser, content)
    text, address = send(here, browser, content)
    assert "Nothing would be done: it was taken before" in text
    assert "Take it and publish" not in text
    browser.post(f"{address}/take")
    (task,) = work(here)
    assert task.result["took"]["known"] is True
    assert len(changes(here)) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2], lambda data: data + b"\0" * 600, lambda _: b"no bundle at all",
        lambda data: data[:900] + bytes([data[900] ^ 1]) + data[901:], lambda data: data[::-1],
        lambda data: data[:-1500] + bytes([data[-1500] ^ 64]) + data[-1499:],
    ],
)  # fmt: skip
def test_damaged_file_would_be_refused_and_is_not_offered(here, outside, spoil):
    browser, before = as_(here, "ann"), everything(here)
    content = outside.bundle()
    assert spoil(content) != content
    text, address = send(here, browser, spoil(content), f"{HOSTILE}.pgb")
    assert "It would be refused" in text
    assert f"{HOSTILE}.pgb: " in text
    for offered in ("Take it and publish", "Look at it as a new beginning"):
        assert offered not in text
    assert HOSTILE not in browser.get(address).text
    for way in ("take", "restart"):
        assert browser.post(f"{address}/{way}").status_code == 400
    assert work(here) == []
    assert everything(here) == before


def test_stranger_is_refused_with_what_to_do(here, outside, new_database, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    other = Outside(new_database(tmp_path / "other.db"), folder, "elsewhere")
    other.put(9, "evil.example.org")
    text, _ = send(here, as_(here, "ann"), other.bundle())
    other.database.close()
    assert "is signed by nobody who is trusted here" in text
    assert "Trusted are: north." in text
    assert "Look at it as a new beginning" not in text


def test_gap_is_told_and_no_new_beginning_is_offered(here, outside):
    browser = as_(here, "ann")
    take(here, browser, outside.bundle())
    outside.put(3, "three.example.org")
    outside.bundle()
    outside.put(4, "four.example.org")
    text, _ = send(here, browser, outside.bundle())
    assert "leaves a gap: it builds on number 2 of outside, and here is number 1" in text
    assert "Bring number 2 first" in text
    assert "Look at it as a new beginning" not in text


def test_sender_that_was_set_back_is_taken_as_a_new_beginning_only_after_two_looks(here, outside, new_database):
    browser = as_(here, "ann")
    take(here, browser, outside.bundle())
    outside.put(3, "three.example.org")
    take(here, browser, outside.bundle())
    outside.database.close()
    new_database(outside.folder.parent / "sender.db")
    outside.put(5, "five.example.org")
    content = outside.bundle(full=True)
    text, address = send(here, browser, content, "again.pgb")
    assert "It would be refused" in text
    assert "Look at it as a new beginning" in text
    assert browser.post(f"{address}/take").status_code == 400
    again = browser.post(f"{address}/restart")
    (task,) = work(here)
    text = words(browser.get(again.location).text)
    assert "Pulses: 1 new, 0 changed, 3 leaving" in text
    assert "A new beginning" in text
    assert numbers(here) == 2
    browser.post(f"{again.location}/take")
    (task,) = work(here)
    assert task.error is None
    assert served(here.database) == ["five.example.org"]
    with here.database.read() as connection:
        assert relay.logged(connection, relay.IN, None, limit=1)[0].entry.sequence == 1


def test_refusal_when_it_is_taken_is_logged_as_by_the_command(here, outside):
    browser, content = as_(here, "ann"), outside.bundle()
    _, address = send(here, browser, content, "late.pgb")
    revoking = having(here, outside, revoked=[outside.fingerprint])
    as_(here, "ann").post(f"{address}/take")
    browser.post(f"{address}/take")
    (task,) = work(revoking)
    assert "late.pgb: is signed with the key 'north', which is revoked" in task.error
    with here.database.read() as connection:
        (one,) = relay.logged(connection, relay.IN, None, limit=9)
    assert (one.entry.outcome, one.entry.file) == (relay.REFUSED, "late.pgb")
    text = words(as_(revoking, "ann").get("/admin/relay/").text)
    assert "which is revoked" in text
    assert "Have the sender sign with its new key" in text
    assert kept(here) == 1  # it can be looked at again
    assert changes(here) == []


def test_file_that_can_not_be_looked_at_is_told_beside_its_field(here, outside):
    browser = as_(here, "ann")
    browser.get("/admin/relay/take")
    small = replace(here, settings=here.settings.model_copy(
        update={"pages": here.settings.pages.model_copy(update={"max_upload": 2_000})}
    ))  # fmt: skip
    cases = [
        (here, b"", "a.pgb", "Choose a file."), (here, b"x", "a.pgb.0001-of-0003", "one part of several"),
        (small, b"x" * 2_001, "a.pgb", "Put it into the inbox"),
        (having(here), b"x", "a.pgb", "set relay.trust"),
    ]  # fmt: skip
    for site, content, name, said in cases:
        browser = as_(site, "ann")
        answer = browser.post("/admin/relay/take", {"file": (io.BytesIO(content), name)})
        assert answer.status_code == 422
        assert said in words(answer.text)
    assert browser.post("/admin/relay/take", {}).status_code == 422
    assert kept(here) == 0


@pytest.mark.parametrize("name", ["vera", "carl"])
def test_only_an_administrator_takes_writes_and_forgets(here, outside, name):
    admin = as_(here, "ann")
    take(here, admin, outside.bundle())
    _, address = send(here, admin, outside.bundle())
    browser = as_(having(here, outside, outbox=outside.folder / "out", key=outside.key), name)
    for path in ("relay/take", "relay/write", "relay/senders/outside/forget"):
        assert browser.post(f"/admin/{path}").status_code == 403
    for way in ("take", "drop", "restart"):
        assert browser.post(f"{address}/{way}").status_code == 403
    for path in (address, "/admin/relay/take", "/admin/relay/senders/outside/forget"):
        assert browser.get(path).status_code == 403
    page = browser.get("/admin/relay/").text
    assert "outside" in page
    for offered in ("Take a bundle", "Write a bundle now", "Forget"):
        assert offered not in page
    assert browser.get("/admin/relay/log").status_code == 200
    assert work(here) == []


def test_late_sender_is_red_here_and_on_the_overview(here, outside):
    old = datetime.now(UTC) - timedelta(days=3)
    browser = as_(here, "vera")
    take(here, as_(here, "ann"), outside.bundle())
    for address in ("/admin/", "/admin/now", "/admin/relay/"):
        assert 'class="late"' not in browser.get(address).text
        assert "outside" in browser.get(address).text
    with here.database.write() as connection:
        kept_head = relay.last_head(connection, "outside")
        head = Head.model_validate_json(kept_head.head).model_copy(update={"created": old})
        relay.put_head(connection, "outside", head.sequence, kept_head.digest, canonical(head).decode())
    for address in ("/admin/", "/admin/now", "/admin/relay/"):
        text = browser.get(address).text
        assert 'class="late"' in text
        assert "not up to date" in text
    assert f"The last bundle of outside is 3d old: number 1, of {old:%Y-%m-%d %H:%M} UTC." in words(
        browser.get("/admin/relay/").text
    )


def test_key_that_is_revoked_over_or_gone_is_told(here, outside, tmp_path):
    take(here, as_(here, "ann"), outside.bundle())
    past = {"name": "north", "key": outside.public, "until": "2026-01-31"}
    cases = [
        ({"revoked": [outside.fingerprint]}, "revoked"), ({"trust": [past]}, "trusted no longer"),
        ({"trust": [{"name": HOSTILE, "key": tmp_path / "gone"}]}, "not in the settings"),
    ]  # fmt: skip
    for more, said in cases:
        page = as_(having(here, outside, **more), "vera").get("/admin/relay/").text
        row = page.partition('<caption class="unseen">Senders')[2].partition("</table>")[0]
        assert said in row
        assert HOSTILE not in page
    assert "can&#39;t be read" in page


def test_names_and_reasons_of_others_stay_text(here):
    with here.database.write() as connection:
        for outcome, direction in ((relay.REFUSED, relay.IN), (relay.WRITTEN, relay.OUT), ("odd", relay.IN)):
            file = f"{HOSTILE}\udcff\0.pgb"
            relay.log(connection, Entry(direction, file, outcome, HOSTILE, 3, HOSTILE[:8], f"{HOSTILE}\0"))
    relay_notes.trouble(here.database, relay.IN, HOSTILE, {f"{HOSTILE}\udcff": HOSTILE})
    browser = as_(having(here, None, inbox="in", trust=here.settings.relay.trust), "vera")
    for address in ("/admin/relay/", "/admin/relay/log", "/admin/relay/log?outcome=refused"):
        answer = browser.get(address)
        assert answer.status_code == 200
        assert HOSTILE not in answer.text
        assert html.escape(HOSTILE) in answer.text


def test_log_is_paged_and_filtered(here):
    with here.database.write() as connection:
        for number in range(120):
            outcome = relay.REFUSED if number % 2 else relay.TAKEN
            relay.log(connection, Entry(relay.IN, f"n{number}.pgb", outcome, "outside", number))
    browser, address, seen = as_(here, "vera"), "/admin/relay/log", []
    while address:
        answer = browser.get(address)
        seen += re.findall(r"n(\d+)\.pgb", answer.text)
        last, address = answer, beside(answer, "next")
    assert seen == [str(number) for number in range(119, -1, -1)]
    assert re.findall(r"n(\d+)\.pgb", browser.get(beside(last, "prev")).text) == seen[50:100]
    first = browser.get("/admin/relay/log?outcome=refused")
    second = browser.get(beside(first, "next"))
    assert re.findall(r"n(\d+)\.pgb", first.text + second.text) == [str(one) for one in range(119, 0, -2)]
    for odd in ("nothing", "%00", "x' OR 1=1"):
        assert browser.get(f"/admin/relay/log?outcome={odd}&after=x").status_code == 200


def test_bundle_is_written_by_the_worker_and_shown(site, outside, tmp_path):
    with site.database.write() as connection:
        collections.put(connection, Collection("subscribed", CollectionKind.SUBSCRIBED))
    out, receipts = tmp_path / "out", tmp_path / "receipts"
    here = having(site, origin="gate", key=outside.key, outbox=out, receipts=receipts)
    browser = as_(here, "ann")
    text = words(browser.get("/admin/relay/").text)
    assert "None was written yet." in text
    assert "No receipt has come yet." in text
    assert browser.post("/admin/relay/write").location == "/admin/relay/"
    work(here)
    browser.post("/admin/relay/write")
    work(here)
    browser.post("/admin/relay/write", {"full": "yes"})
    work(here)
    names = ["gate-0000000001-full.pgb", "gate-0000000002-delta.pgb", "gate-0000000003-full.pgb"]
    assert sorted(one.name for one in out.iterdir()) == names
    receipts.mkdir()
    receipt = (
        f'{{"receiver": "in.1", "origin": "gate", "sequence": 2, "state": "{"a" * 64}", "taken": "2026-11-01T00:00Z"}}'
    )
    (receipts / "a.receipt.json").write_text(receipt)
    (receipts / "b.receipt.json").write_text(HOSTILE)
    page = browser.get("/admin/relay/").text
    text = words(page)
    for said in (*names, "in.1", " ".join(outside.fingerprint[place : place + 16] for place in range(0, 64, 16))):
        assert said in text
    assert "Number 3 was written: gate-0000000003-full.pgb" in text
    assert "PRIVATE" not in page
    with site.database.read() as connection:
        found = [(one.account, one.action, one.after) for one in audit.every(connection, limit=9)]
    assert found[0] == ("ann", "relay.write", {"file": names[2], "origin": "gate", "sequence": 3})
    assert len(found) == 3
    with site.database.read() as connection:
        assert ways.gone(connection, ways.Way.OUTBOX).number == 3


def test_next_bundle_is_announced_by_the_worker(site, outside, tmp_path):
    here = having(site, origin="gate", key=outside.key, outbox=tmp_path / "out", interval="2h")
    where = Installation(here.settings, here.database, here.policy, False)
    Sending(where, tmp_path / "out")()
    text = words(as_(here, "vera").get("/admin/relay/").text)
    assert re.search(r"Next one in 2 hours", text)
    with here.database.read() as connection:
        due = relay_notes.get(connection, relay.OUT).due
    assert timedelta(hours=2) - 60 * SECOND < due - datetime.now(UTC) <= timedelta(hours=2)


def test_trouble_with_a_folder_is_shown_until_it_is_over(site, outside, tmp_path):
    out, into = tmp_path / "out", tmp_path / "in"
    here = having(site, outside, origin="gate", key=outside.key, outbox=out, inbox=into)
    where = Installation(here.settings, here.database, here.policy, False)
    for folder in (out, into):
        folder.write_text("a file in the place of the folder")
    sending, receiving, browser = Sending(where, out), Receiving(where, into), as_(here, "vera")
    for _ in range(2):
        sending()
        receiving()
    text = words(browser.get("/admin/relay/").text)
    assert "Bundles can't be written." in text
    assert f"{out}: the folder can't be made: File exists" in text
    assert "The inbox can't be used." in text
    with here.database.read() as connection:
        since = relay_notes.get(connection, relay.OUT).since
    sending()
    with here.database.read() as connection:
        assert relay_notes.get(connection, relay.OUT).since == since
    as_(here, "ann").post("/admin/relay/write")
    (task,) = work(here)
    assert "the folder can't be made" in task.error
    for folder in (out, into):
        folder.unlink()
    sending()
    receiving()
    text = words(browser.get("/admin/relay/").text)
    assert "can't be written" not in text
    assert "can't be used" not in text


def test_receipt_that_can_not_be_written_is_no_trouble_of_the_inbox(here, outside, tmp_path):
    into, file = tmp_path / "in", tmp_path / "file"
    (into / "taken").mkdir(parents=True)
    file.touch()
    old = into / "taken" / "old.pgb"
    old.touch()
    os.utime(old, (0, 0))
    site = having(here, outside, inbox=into, write_receipts=file)
    receiving = Receiving(Installation(site.settings, site.database, site.policy, False), into)
    (into / "a.pgb").write_bytes(outside.bundle())
    for _ in range(2):
        receiving()
    with site.database.read() as connection:
        assert relay_notes.get(connection, relay.IN).trouble is None
    assert [one.name for one in (into / "taken").iterdir()] == ["a.pgb"]


def test_what_waits_is_shown_with_what_it_waits_for(here, outside, tmp_path):
    into = tmp_path / "in"
    into.mkdir()
    site = having(here, outside, inbox=into)
    receiving = Receiving(Installation(site.settings, site.database, site.policy, False), into)
    outside.bundle()
    outside.put(3, "three.example.org")
    (into / "b\udcff.pgb").write_bytes(outside.bundle())
    (into / "c.pgb.0002-of-0002").write_bytes(b"x")
    (into / "d.pgb").write_bytes(b"x")
    for _ in range(2):
        receiving()
    browser = as_(site, "vera")
    text, log = words(browser.get("/admin/relay/").text), words(browser.get("/admin/relay/log").text)
    assert "is a delta of outside, of which nothing was taken yet" in text
    assert "is too short to be a bundle. Copy it again" in text
    assert "is too short to be a bundle. Copy it again" in log
    assert ".pgb: " not in text + log, "the file is named beside it"
    assert "of its 2 parts these are missing: 1" in text
    (into / "a.pgb").write_bytes(outside.bundle(full=True))
    (into / "c.pgb.0002-of-0002").unlink()
    for _ in range(2):
        receiving()
    assert "Waits in the inbox" not in words(as_(site, "vera").get("/admin/relay/").text)
    assert numbers(site) == 3


@pytest.mark.parametrize("withdraw", [False, True])
def test_sender_is_forgotten_as_it_was_shown(here, outside, withdraw):
    browser, content = as_(here, "ann"), outside.bundle()
    take(here, browser, content)
    address = "/admin/relay/senders/outside/forget"
    page = browser.get(address)
    assert "Pulses of it here: 2." in words(page.text)
    it = shown(page) | ({"withdraw": "yes"} if withdraw else {})
    outside.put(3, "three.example.org")
    take(here, browser, outside.bundle())
    answer = browser.post(address, it)
    assert answer.status_code == 409
    assert "Pulses of it here: 3." in words(answer.text)
    assert work(here) == []
    assert browser.post(address, it | shown(answer)).status_code == 303
    (task,) = work(here)
    assert task.result["forgot"] == {"origin": "outside", "withdrawn": 3 if withdraw else 0}
    assert len(served(here.database)) == (0 if withdraw else 3)
    assert changes(here)[0] == ("ann", "relay.forget", "outside")
    with here.database.read() as connection:
        assert audit.every(connection, limit=1)[0].before["sequence"] == 2
        assert relay.signed_keys(connection) == []
    assert numbers(here) is None
    assert browser.post(address, it).status_code == 409
    assert browser.get(address).status_code == 404
    assert browser.get("/admin/relay/senders/%00/forget").status_code == 404


def test_demo_writes_no_bundle_by_itself(site, outside, tmp_path):
    here = replace(having(site, key=outside.key, outbox=tmp_path / "out"), demo=True)
    browser = as_(here, "ann")
    assert "Write a bundle now" not in browser.get("/admin/relay/").text
    assert browser.post("/admin/relay/write").status_code == 409
    assert work(here) == []


def test_source_of_a_sender_leads_to_the_relay(here, outside):
    take(here, as_(here, "ann"), outside.bundle())
    browser = as_(here, "vera")
    assert "by bundles" in browser.get("/admin/sources/").text
    assert "/admin/relay/" in words(browser.get("/admin/sources/relay:outside/").text) or (
        'href="/admin/relay/">To the relay' in browser.get("/admin/sources/relay:outside/").text
    )
    text = browser.get("/admin/").text
    assert "Nothing is pulled: no API key is set." not in text
    assert "off, or without a key" not in text
