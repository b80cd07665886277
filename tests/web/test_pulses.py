"""The pages of pulses: the list with its filters, decisions on one and on many, one pulse, and trusted authors."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from pulsegate.model.collection import Collection, ReviewMode, Rule
from pulsegate.model.decisions import ReviewStatus
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.store import audit, collections, decisions, pulses, sources, taken, tasks
from pulsegate.web import paging
from store.test_pulses import a_name
from web.curated import publish, waiting
from web.seen import beside

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
HOSTILE = "<script>alert(1)</script>"
CHECKED = Collection("checked", review=ReviewMode.PULSES)
STRICT = Collection("strict", review=ReviewMode.CHANGES, include=Rule(words=frozenset({"phishing"})))
OPEN = Collection("open", deduplicate=False)


def a_pulse(number: int, **fields) -> Pulse:
    moment = NOW - number * DAY
    base = Pulse(f"{number:024x}", f"Pulse {number}", "alice", moment - DAY, moment, tlp=TLP.WHITE)
    return replace(base, **fields)


def put(site, pulse: Pulse, values, source: str = "default") -> int:
    found = [one if isinstance(one, Indicator) else a_name(one) for one in values]
    with site.database.write() as connection:
        taken.put(connection, pulse, found, taken.unmarked)
        stored = pulses.get(connection, pulse.id)
        sources.ensure(connection, source, "")
        sources.claim(connection, source, "subscription", [stored.pk])
    return stored.pk


@pytest.fixture
def store(site):
    """Three collections, of which two review, and four pulses; published."""
    with site.database.write() as connection:
        for one in (CHECKED, STRICT, OPEN):
            collections.put(connection, one)
    keys = {
        "wave": put(site, a_pulse(1, name="Phishing wave", tags=("Phishing", 'a "b"')), ["wave.example", "both.example"]),
        "tools": put(site, a_pulse(2, name="Tools", author="bob", tlp=TLP.AMBER), ["tool.example", "both.example"]),
        "bad": put(
            site,
            a_pulse(3, name=HOSTILE, author=HOSTILE, references=("javascript:alert(1)", "https://a.example/x"),
                    description=HOSTILE, tags=(HOSTILE,), adversary=HOSTILE),
            [a_name("bad.example", description=HOSTILE, role=HOSTILE)], "other",
        ),
        "gone": put(site, a_pulse(40, name="Gone phishing", author="bob"), ["gone.example"]),
    }  # fmt: skip
    with site.database.write() as connection:
        sources.release(connection, "default", None, [keys["gone"]])
    publish(site)
    return keys


def listed(answer) -> list[str]:
    return [int(one, 16) for one in re.findall(r'<td class="name"><a href="/admin/pulses/([0-9a-f]{24})"', answer.text)]


def values(site, name: str) -> set[str]:
    from pulsegate.store import held

    with site.database.read() as connection:
        return {one.value for one in held.rows(connection, collections.get(connection, name).id)}


def fields(answer) -> dict[str, list[str] | str]:
    """The hidden fields of the form that confirms."""
    form = answer.text.split('<form method="post" action="/admin/pulses/')[1].split("</form>")[0]
    found: dict[str, list[str]] = {}
    for name, text in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form):
        if name != "csrf_token":
            found.setdefault(name, []).append(text)
    return found


def changes(site, action: str) -> list[tuple]:
    with site.database.read() as connection:
        return [
            (one.account, one.subject, one.before, one.after)
            for one in audit.every(connection, limit=99, action=action)
        ]


def state(site):
    """All that a preview must not change."""
    with site.database.read() as connection:
        return decisions.read(connection), audit.every(connection, limit=99), tasks.unfinished(connection)


def decided(site, what: str, *ids: int) -> None:
    with site.database.write() as connection:
        keys = [pulses.get(connection, f"{one:024x}").pk for one in ids]
        decisions.review(connection, keys, ReviewStatus(what), reason="", account="carl")


# --- The list ---------------------------------------------------------------------------------------------------------


def test_list_shows_every_pulse_the_last_modified_first(logged_in, store):
    answer = logged_in("vera").get("/admin/pulses/")
    assert listed(answer) == [1, 2, 3, 40]
    assert "waits for a look" in answer.text
    assert 'title="2 indicators">open</span>' in answer.text
    assert HOSTILE not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_list_without_a_pulse_says_what_to_expect(logged_in):
    assert "No pulse is stored yet." in logged_in("vera").get("/admin/pulses/").text


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("text=phishing", [1, 40]), ("text=wave+phish", [1]), ("text=ALICE", [1]), ("text=000028", [40]), ("text=%25", []),
        ("author=BOB", [2, 40]), ("tag=phishing", [1]), ("tag=phish", []), ("tag=a+%22B%22", [1]),
        ("tlp=amber", [2]), ("tlp=nonsense", [1, 2, 3, 40]), ("state=withdrawn", [40]), ("state=active", [1, 2, 3]),
        ("days=7", [1, 2, 3]), ("days=x", [1, 2, 3, 40]), ("source=other", [3]), ("source=none", []),
        ("review=waiting", [2, 3]), ("review=approved", [1]), ("review=held", []),
        ("sort=name", [3, 40, 1, 2]), ("sort=author", None), ("sort=created", [1, 2, 3, 40]),
        ("collection=999999999999999", [1, 2, 3, 40]), ("text=%00", []), ("tag=%00&author=%00", []),
    ],
)  # fmt: skip
def test_filters_leave_what_fits(logged_in, site, store, filters, found):
    decided(site, "approved", 1)
    answer = logged_in("vera").get(f"/admin/pulses/?{filters}")
    assert answer.status_code == 200
    if filters == "sort=name":
        assert sorted(listed(answer)) == sorted(found)
    elif found is not None:
        assert listed(answer) == found
    assert ("No pulse" in answer.text) == (found == [])


def test_filter_by_collection_leaves_what_stands_in_it(logged_in, site, store):
    decided(site, "approved", 2)
    publish(site)
    with site.database.read() as connection:
        checked = collections.get(connection, "checked").id
    assert listed(logged_in("vera").get(f"/admin/pulses/?collection={checked}")) == [2]


def test_waiting_are_those_that_a_collection_with_review_would_take(logged_in, site, store):
    with site.database.write() as connection:
        collections.put(
            connection, replace(CHECKED, include=Rule(tlp=frozenset({TLP.AMBER}), tags=frozenset({"none"})))
        )
        collections.put(connection, replace(STRICT, exclude=Rule(attack_ids=frozenset({"T1"}))))
    browser = logged_in("vera")
    assert listed(browser.get("/admin/pulses/?review=waiting")) == [1]
    put(site, a_pulse(5, name="PHISHING twice", attack_ids=("T1.002 - x",)), ["five.example"])
    put(site, a_pulse(6, name="Phíshing in accents"), ["six.example"])
    put(site, a_pulse(7, name="Nophishing"), ["seven.example"])
    assert listed(browser.get("/admin/pulses/?review=waiting")) == [1, 6]


def test_approved_pulse_that_has_grown_waits_where_changes_do(logged_in, site, store):
    decided(site, "approved", 1, 2, 3)
    browser = logged_in("vera")
    assert listed(browser.get("/admin/pulses/?review=waiting")) == []
    put(site, a_pulse(1, name="Phishing wave"), ["wave.example", "both.example", "later.example"])
    answer = browser.get("/admin/pulses/?review=waiting")
    assert listed(answer) == [1]
    assert "1 new indicator waits" in answer.text
    shown = browser.get(f"/admin/pulses/{1:024x}").text
    assert "1 indicator came after the approval" in shown
    assert "it came after the pulse had been approved" in shown


@pytest.mark.parametrize("sort", ["modified", "created", "name", "author"])
@pytest.mark.parametrize("review", ["", "waiting"])
def test_pages_lead_to_the_end_and_back_without_loss(logged_in, site, sort, review, monkeypatch):
    monkeypatch.setattr(paging, "SIZE", 3)
    with site.database.write() as connection:
        collections.put(connection, STRICT)
    for number in range(1, 11):
        put(
            site,
            a_pulse(number, name=f"phishing {number % 3}", author="ab"[number % 2], modified=NOW - number // 4 * DAY),
            [],
        )
    browser = logged_in("vera")
    first = answer = browser.get(f"/admin/pulses/?sort={sort}&review={review}")
    there = [listed(answer)]
    while beside(answer, "next"):
        answer = browser.get(beside(answer, "next"))
        there.append(listed(answer))
    assert sorted(one for page in there for one in page) == list(range(1, 11))
    assert [len(page) for page in there] == [3, 3, 3, 1]
    back = [listed(answer)]
    while beside(answer, "prev"):
        answer = browser.get(beside(answer, "prev"))
        back.append(listed(answer))
    assert back[::-1] == there
    assert beside(first, "prev") is None


@pytest.mark.parametrize(
    "position",
    ["after=%00", "after=W10", "before=WyJ4Il0", "after=WzEsMl0", "after=WyJhIiwiYiJd", "after=" + "W" * 5000],
)
@pytest.mark.parametrize("sort", ["modified", "name"])
def test_position_that_can_not_be_read_is_the_first_page(logged_in, store, position, sort):
    answer = logged_in("vera").get(f"/admin/pulses/?{position}&sort={sort}")
    assert len(listed(answer)) == 4
    assert logged_in("vera").get(f"/admin/pulses/{1:024x}?{position}").status_code == 200


# --- Decisions --------------------------------------------------------------------------------------------------------


def test_preview_says_what_comes_and_goes_and_changes_nothing(logged_in, site, store):
    before, browser = state(site), logged_in("carl")
    approve = browser.get(f"/admin/pulses/decide?what=approve&pulse={store['wave']}&pulse={store['tools']}").text
    assert "Approve 2 pulses?" in approve
    assert re.search(r"checked</th>\s*<td>\s*<strong>3</strong>.*?wave.example", approve, re.DOTALL)
    assert re.search(r"strict</th>\s*<td>\s*<strong>2</strong>", approve)
    assert ">open</th>" not in approve
    reject = browser.get(f"/admin/pulses/decide?what=reject&pulse={store['tools']}").text
    assert re.search(r'open</th>\s*<td>\s*<span class="muted">none</span>\s*</td>\s*<td>\s*<strong>2</strong>', reject)
    assert state(site) == before


def test_effect_of_a_value_that_another_pulse_has_is_none(logged_in, site, store):
    decided(site, "approved", 1, 2)
    publish(site)
    assert values(site, "checked") == {"wave.example", "tool.example", "both.example"}
    answer = logged_in("carl").get(f"/admin/pulses/decide?what=reject&pulse={store['tools']}").text
    assert re.search(r"checked</th>.*?<strong>1</strong>.*?tool.example", answer, re.DOTALL)
    assert "both.example" in answer  # in open, where each pulse has its own


@pytest.mark.parametrize(
    ("what", "status", "there"),
    [("approve", "approved", {"wave.example", "both.example"}), ("hold", "held", set()), ("reject", "rejected", set())],
)
def test_decision_is_what_was_previewed_with_its_record_and_a_task(logged_in, site, store, what, status, there):
    browser, pulse_id = logged_in("carl"), f"{1:024x}"
    preview = browser.get(f"/admin/pulses/decide?what={what}&pulse={store['wave']}&next=/pulses/%3Ftag=x")
    answer = browser.post("/admin/pulses/decide", {**fields(preview), "reason": "looked\nat"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/pulses/?tag=x")
    assert changes(site, "pulse") == [("carl", pulse_id, None, status)]
    assert waiting(site.database) == ["publish"]
    with site.database.read() as connection:
        review = decisions.reviewed(connection)[pulse_id]
    assert (review.account, review.reason) == ("carl", "looked at")
    publish(site)
    assert values(site, "checked") == there
    assert ("wave.example" in values(site, "open")) == (what != "reject")
    undo = browser.get(f"/admin/pulses/decide?what=undo&pulse={store['wave']}&pulse={store['tools']}")
    assert "on 1 pulse?" in undo.text
    browser.post("/admin/pulses/decide", fields(undo))
    assert changes(site, "pulse")[0] == ("carl", pulse_id, status, None)
    publish(site)
    assert values(site, "checked") == set()
    assert "wave.example" in values(site, "open")


def test_all_that_fit_the_filters_are_decided_on_at_once(logged_in, site, store):
    browser = logged_in("carl")
    preview = browser.get("/admin/pulses/decide?what=reject&all=yes&review=waiting&author=alice&pulse=999")
    assert "Reject 1 pulse?" in preview.text
    everything = browser.get("/admin/pulses/decide?what=reject&all=yes")
    assert "Reject 4 pulses?" in everything.text
    assert browser.post("/admin/pulses/decide", fields(everything)).status_code == 303
    assert len(changes(site, "pulse.review")) == 4
    publish(site)
    assert values(site, "open") == set()


def test_what_has_changed_since_the_preview_is_not_decided_on_unseen(logged_in, site, store):
    browser = logged_in("carl")
    preview = browser.get("/admin/pulses/decide?what=approve&all=yes&author=alice")
    put(site, a_pulse(9), ["nine.example"])
    answer = browser.post("/admin/pulses/decide", {**fields(preview), "reason": "kept text"})
    assert answer.status_code == 409
    assert "Some of the pulses have changed" in answer.text
    assert "Approve 2 pulses?" in answer.text
    assert "kept text" in answer.text
    assert (changes(site, "pulse"), waiting(site.database)) == ([], [])
    assert browser.post("/admin/pulses/decide", fields(answer)).status_code == 303


@pytest.mark.parametrize("change", ["grows", "is decided on", "goes"])
def test_single_pulse_that_has_changed_since_is_shown_again(logged_in, site, store, change):
    browser = logged_in("carl")
    preview = browser.get(f"/admin/pulses/decide?what=approve&pulse={store['wave']}&pulse={store['tools']}")
    if change == "grows":
        put(site, a_pulse(1, name="Phishing wave"), ["wave.example", "more.example"])
    elif change == "is decided on":
        decided(site, "rejected", 1)
    else:
        import sqlalchemy as sa

        with site.database.write() as connection:
            connection.execute(sa.text("DELETE FROM pulses WHERE pk = :pk"), {"pk": store["wave"]})
    assert browser.post("/admin/pulses/decide", fields(preview)).status_code == 409
    assert waiting(site.database) == []


def test_nothing_ticked_is_said(logged_in, store):
    browser = logged_in("carl")
    for more in ("", "&pulse=999999", "&pulse=x", "&pulse=99999999999999999999"):
        answer = browser.get(f"/admin/pulses/decide?what=approve{more}")
        assert (answer.status_code, "Tick one or more pulses first." in answer.text) == (422, True)
    assert "Nothing was decided" in browser.get(f"/admin/pulses/decide?what=undo&pulse={store['wave']}").text
    assert browser.get("/admin/pulses/decide?what=burn").status_code == 400
    assert browser.post("/admin/pulses/decide", {"what": "approve"}).status_code in (409, 422)


def test_reason_that_is_too_long_is_refused_beside_its_field(logged_in, site, store):
    browser = logged_in("carl")
    preview = browser.get(f"/admin/pulses/decide?what=approve&pulse={store['wave']}")
    answer = browser.post("/admin/pulses/decide", {**fields(preview), "reason": "x" * 2001})
    assert (answer.status_code, "longer than 2000" in answer.text) == (422, True)
    assert waiting(site.database) == []


def test_many_are_counted(logged_in, site, store, monkeypatch):
    from pulsegate.publication import review_effect

    monkeypatch.setattr(review_effect, "MOST_INDICATORS", 1)
    decided(site, "rejected", 3)
    publish(site)
    browser = logged_in("carl")
    approve = browser.get("/admin/pulses/decide?what=approve&all=yes").text
    assert re.search(r"checked</th>\s*<td>\s*<strong>about 5</strong>", approve)
    assert re.search(r"open</th>\s*<td>\s*<strong>about 1</strong>", approve)
    assert re.search(r"strict</th>\s*<td>\s*<strong>about 5</strong>", approve) is None
    reject = browser.get("/admin/pulses/decide?what=reject&all=yes").text
    assert re.search(r"open</th>.*?none.*?<strong>about 4</strong>", reject, re.DOTALL)
    assert "checked</th>" not in reject


@pytest.mark.parametrize(
    "address", ["decide?what=approve&pulse=1", "authors/trust?author=alice", "authors/distrust?author=alice"]
)
def test_viewer_decides_nothing(logged_in, site, store, address):
    browser = logged_in("vera")
    assert browser.get(f"/admin/pulses/{address}").status_code == 403
    path, _, query = address.partition("?")
    given = dict(one.split("=") for one in query.split("&"))
    assert browser.post(f"/admin/pulses/{path}", given).status_code == 403
    for page in ("", f"{1:024x}", "authors"):
        shown = browser.get(f"/admin/pulses/{page}").text
        assert not re.search(r'name="(what|pulse|all)"|data-key="[arhu]"|trust\?', shown)
    assert state(site)[1:] == ([], [])


def test_nobody_sees_anything_without_logging_in(browser, store):
    for path in ("", f"{1:024x}", "authors", "decide?what=approve", f"{1:024x}/stix/open"):
        assert browser.get(f"/admin/pulses/{path}").status_code == 303


def test_post_without_the_token_changes_nothing(logged_in, site, store):
    browser = logged_in("carl")
    preview = browser.get(f"/admin/pulses/decide?what=approve&pulse={store['wave']}")
    browser.token = "other"
    assert browser.post("/admin/pulses/decide", fields(preview)).status_code == 400
    assert waiting(site.database) == []


# --- Authors ----------------------------------------------------------------------------------------------------------


def test_author_is_trusted_and_no_longer(logged_in, site, store):
    browser, before = logged_in("carl"), state(site)
    preview = browser.get("/admin/pulses/authors/trust?author=alice")
    assert re.search(r"checked</th>\s*<td>\s*<strong>2</strong>", preview.text)
    assert state(site) == before
    answer = browser.post("/admin/pulses/authors/trust", {**fields(preview), "reason": "ours"})
    assert answer.headers["Location"] == "/admin/pulses/authors"
    assert waiting(site.database) == ["publish"]
    assert [one[:2] for one in changes(site, "author")] == [("carl", "alice")]
    publish(site)
    assert values(site, "checked") == {"wave.example", "both.example"}
    shown = browser.get("/admin/pulses/authors").text
    assert ">alice</a>" in shown
    assert "ours" in shown
    undo = browser.get("/admin/pulses/authors/distrust?author=alice")
    assert re.search(r"checked</th>.*?none.*?<strong>2</strong>", undo.text, re.DOTALL)
    browser.post("/admin/pulses/authors/distrust", fields(undo))
    publish(site)
    assert values(site, "checked") == set()
    assert "Nobody is trusted." in browser.get("/admin/pulses/authors").text


def test_hostile_author_is_text(logged_in, site, store):
    browser = logged_in("carl")
    preview = browser.get(f"/admin/pulses/authors/trust?author={quote(HOSTILE)}")
    browser.post("/admin/pulses/authors/trust", {"author": HOSTILE})
    pages = [preview, browser.get("/admin/pulses/authors"), browser.get("/admin/pulses/")]
    assert all(HOSTILE not in one.text for one in pages)
    assert browser.get("/admin/pulses/authors/trust?author=+").status_code == 400


# --- One pulse --------------------------------------------------------------------------------------------------------


def test_one_pulse_shows_all_that_is_told_as_text(logged_in, site, store):
    answer = logged_in("carl").get(f"/admin/pulses/{3:024x}")
    assert HOSTILE not in answer.text
    assert 'href="javascript:' not in answer.text
    assert "javascript:alert(1)</span>" in answer.text
    assert '<a class="value" href="https://a.example/x" rel="noreferrer noopener">' in answer.text
    assert f"https://otx.alienvault.com/pulse/{3:024x}" in answer.text
    assert "(subscription)" in answer.text
    for one in ("Adversary", "Tags", "References", "Description"):
        assert one in answer.text


def spots(answer, value: str) -> str:
    row = next(row for row in answer.text.split("<tr>") if f">{value}<" in row)
    return " ".join(re.sub("<[^>]*>", " ", row.split('class="spots"')[1]).split()).removeprefix("> ")


def test_each_indicator_says_where_it_stands_or_why_not(logged_in, site, store):
    browser = logged_in("vera")
    answer = browser.get(f"/admin/pulses/{2:024x}")
    assert "checked, strict" not in spots(answer, "tool.example")
    assert re.search(r"out checked: nobody has approved the pulse yet", spots(answer, "tool.example"))
    assert re.search(r"in open, user_bob since", spots(answer, "tool.example"))
    assert "name has none of these words" in spots(answer, "tool.example")
    decided(site, "approved", 1, 2)
    assert "enters with the next publication checked" in spots(browser.get(f"/admin/pulses/{2:024x}"), "tool.example")
    publish(site)
    shown = [spots(browser.get(f"/admin/pulses/{number:024x}"), "both.example") for number in (1, 2)]
    assert sorted("in, by another pulse checked" in one for one in shown) == [False, True]
    decided(site, "rejected", 2)
    assert "leaves with the next publication" in spots(browser.get(f"/admin/pulses/{2:024x}"), "tool.example")


def test_indicators_are_filtered_and_paged(logged_in, site, store, monkeypatch):
    monkeypatch.setattr(paging, "SIZE", 3)
    found = [
        a_name(f"n{number}.example", active=number != 5, expiration=NOW - DAY if number == 6 else None)
        for number in range(7)
    ]
    found.append(Indicator(IndicatorType.IPV4, "192.0.2.7", RawIndicator("IPv4", "192.0.2.7")))
    put(site, a_pulse(8), found)
    browser, address = logged_in("vera"), f"/admin/pulses/{8:024x}"

    def shown(answer):
        return re.findall(r'<td>(?:<a class="value" href="[^"]*">|<span class="value">)([^<]+)<', answer.text)

    first = browser.get(address)
    second = browser.get(beside(first, "next"))
    third = browser.get(beside(second, "next"))
    everything = [shown(one) for one in (first, second, third)]
    assert everything == [
        [f"n{n}.example" for n in range(3)],
        [f"n{n}.example" for n in range(3, 6)],
        ["n6.example", "192.0.2.7"],
    ]
    assert shown(browser.get(beside(third, "prev"))) == everything[1]
    assert shown(browser.get(f"{address}?type=IPv4")) == ["192.0.2.7"]
    assert shown(browser.get(f"{address}?life=inactive")) == ["n5.example"]
    assert shown(browser.get(f"{address}?life=expired")) == ["n6.example"]
    assert shown(browser.get(f"{address}?life=live&text=N4")) == ["n4.example"]
    assert "No indicator fits." in browser.get(f"{address}?text=%00").text


def test_review_history_and_reason_are_shown(logged_in, site, store):
    browser = logged_in("carl")
    preview = browser.get(f"/admin/pulses/decide?what=hold&pulse={store['wave']}")
    browser.post("/admin/pulses/decide", {**fields(preview), "reason": HOSTILE})
    shown = browser.get(f"/admin/pulses/{1:024x}").text
    assert HOSTILE not in shown
    assert "carl decided so" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "Undo…" in shown


def test_stix_is_shown_and_taken_away(logged_in, site, store):
    browser, base = logged_in("vera"), f"/admin/pulses/{3:024x}"
    listing = browser.get(f"{base}/stix/open").text
    block = re.search(rf'href="({base}/block/\d+/open)"', listing)[1]
    shown = browser.get(block)
    assert "&lt;stix:STIX_Package" in shown.text
    assert HOSTILE not in shown.text
    answer = browser.get(block.replace("/block/", "/download/"))
    assert answer.data.startswith(b"<stix:STIX_Package")
    assert b"bad.example" in answer.data
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert browser.get(block.replace("/open", "/checked")).status_code == 404
    assert browser.get(f"{base}/stix/none").status_code == 404
    assert "no package" in browser.get(f"{base}/stix/checked").text
    other = f"/admin/pulses/{1:024x}"
    assert browser.get(block.replace(base, other)).status_code == 404


def test_pulse_that_is_not_there_is_not_found(logged_in, store):
    browser = logged_in("vera")
    for one in ("nothing", "%00", HOSTILE.replace("/", "")):
        assert browser.get(f"/admin/pulses/{one}").status_code == 404
