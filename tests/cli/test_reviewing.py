"""``pulsegate pulse approve|reject|hold|undo|trust|distrust``, and the status that ``pulse list`` shows."""

from __future__ import annotations

import pytest

from cli.curated import ADDRESS, TOOLS, URL, WAVE, a_name, call, lines, put, rule, run, served, store, told
from pulsegate.errors import UsageError
from pulsegate.store.database import Database

__all__ = ["store"]
OF_WAVE = ["45.9.148.3", "a.shop.example.net", "http://cdn.shop.example.net/x", "shop.example.net"]
OF_TOOLS = ["shop.example.net", "tool.example.org"]
BOTH = sorted({*OF_WAVE, *OF_TOOLS})
FOUND = [a_name("shop.example.net"), a_name("a.shop.example.net"), URL, ADDRESS]


def statuses(*words: str) -> dict[str, str]:
    return {one["name"]: one["status"] for one in told("pulse", "list", *words)}


def contents() -> dict[str, list[str]]:
    return {name: served(name) for name in ("subscribed", "checked", "strict")}


def test_pulse_waits_until_it_is_approved() -> None:
    assert contents() == {"subscribed": BOTH, "checked": [], "strict": []}
    assert statuses() == {"Phishing wave": "waiting", "Tools": "waiting"}
    assert rule("shop.example.net", "checked") == "review"
    out = lines("pulse", "approve", WAVE.id, "--reason", "looked at")
    assert out == [
        "id                        author  was      pulse",
        "000000000000000000000001  alice   waiting  Phishing wave",
        "",
        "1 pulse now approved.",
        "checked: 4 added, 0 removed",
        "strict: 4 added, 0 removed",
    ]
    assert contents() == {"subscribed": BOTH, "checked": OF_WAVE, "strict": OF_WAVE}
    assert statuses() == {"Phishing wave": "approved", "Tools": "waiting"}
    shown = told("pulse", "show", WAVE.id)
    assert (shown["status"], shown["review"]["account"], shown["review"]["reason"]) == (
        "approved", "carol (host)", "looked at",
    )  # fmt: skip
    assert "by carol (host)" in run("pulse", "show", WAVE.id)


def test_pulse_that_is_rejected_is_in_no_collection() -> None:
    run("pulse", "reject", WAVE.id)
    assert contents() == {"subscribed": OF_TOOLS, "checked": [], "strict": []}
    assert (served("user_alice"), statuses()["Phishing wave"]) == ([], "rejected")
    assert lines("pulse", "undo", WAVE.id)[-1] == "user_alice: 4 added, 0 removed"
    assert contents() == {"subscribed": BOTH, "checked": [], "strict": []}
    assert statuses()["Phishing wave"] == "waiting"


def test_pulse_that_is_held_waits_whoever_wrote_it() -> None:
    run("pulse", "trust", "alice")
    assert served("checked") == OF_WAVE
    run("pulse", "hold", WAVE.id)
    assert contents() == {"subscribed": BOTH, "checked": [], "strict": []}
    assert statuses()["Phishing wave"] == "held"


def test_author_who_is_trusted_needs_no_look(store: Database) -> None:
    assert lines("pulse", "trust", "alice", "--reason", "our own")[0] == "alice is trusted."
    assert (served("checked"), served("strict")) == (OF_WAVE, OF_WAVE)
    assert statuses() == {"Phishing wave": "active", "Tools": "waiting"}
    put(store, WAVE, [*FOUND, a_name("later.example.net")])
    run("publish")
    assert "later.example.net" in served("strict")
    [one] = told("pulse", "trusted")
    assert (one["author"], one["reason"], one["account"]) == ("alice", "our own", "carol (host)")
    assert lines("pulse", "trusted")[1].split()[0] == "alice"
    run("pulse", "distrust", "alice")
    assert (served("checked"), told("pulse", "trusted")) == ([], [])
    with pytest.raises(UsageError, match="alice: is not trusted"):
        call("pulse", "distrust", "alice")


def test_author_whom_nobody_knows_is_pointed_out() -> None:
    result = call("pulse", "trust", "Alice")
    assert (result.exit_code, result.stderr) == (0, "pulsegate: no stored pulse is by 'Alice'; case matters\n")
    assert served("checked") == []


def test_what_is_added_to_an_approved_pulse_waits_where_changes_do(store: Database) -> None:
    run("pulse", "approve", "--waiting")
    put(store, WAVE, [*FOUND, a_name("later.example.net")])
    run("publish")
    assert ("later.example.net" in served("checked"), "later.example.net" in served("strict")) == (True, False)
    assert statuses() == {"Phishing wave": "approved", "Tools": "approved"}
    [one] = told("pulse", "list", "--status", "waiting")
    assert (one["name"], one["status"], one["waiting"]) == ("Phishing wave", "approved", 1)
    assert "approved, 1 more wait" in run("pulse", "list")
    assert [one["name"] for one in told("pulse", "approve", "--waiting")["pulses"]] == ["Phishing wave"]
    assert "later.example.net" in served("strict")
    assert told("pulse", "list", "--status", "waiting") == []


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (["--author", "Alice"], ["Phishing wave"]),
        (["--tag", "phishing"], ["Phishing wave"]),
        (["--tag", "phish"], []),
        (["--tlp", "amber"], ["Tools"]),
        (["--waiting"], ["Phishing wave", "Tools"]),
        (["--waiting", "--author", "bob"], ["Tools"]),
        (["--tag", "phishing", "--tlp", "amber"], []),
        ([WAVE.id.upper(), TOOLS.id, WAVE.id], ["Phishing wave", "Tools"]),
    ],
)
def test_pulses_are_chosen(words: list[str], chosen: list[str]) -> None:
    found = told("pulse", "reject", *words, "--dry-run")
    assert ([one["name"] for one in found["pulses"]], found["collections"]) == (chosen, [])
    assert statuses() == {"Phishing wave": "waiting", "Tools": "waiting"}
    assert {one["before"] for one in found["pulses"]} <= {"waiting"}


@pytest.mark.parametrize("command", ["approve", "reject", "hold"])
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "takes either ids or filters"),
        ([WAVE.id, "--waiting"], "takes either ids or filters"),
        ([WAVE.id, "f" * 24], f"{'f' * 24}: no such pulse is stored"),
    ],
)
def test_choice_that_is_none(command: str, words: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        call("pulse", command, *words)
    assert statuses() == {"Phishing wave": "waiting", "Tools": "waiting"}


def test_nothing_to_take_back() -> None:
    run("pulse", "approve", WAVE.id)
    result = call("pulse", "undo", WAVE.id, TOOLS.id, "--json")
    assert (result.exit_code, statuses()["Phishing wave"]) == (1, "waiting")
    assert result.stderr == f"pulsegate: nothing was decided on {TOOLS.id}\n"


def test_nothing_fits() -> None:
    assert lines("pulse", "approve", "--tag", "nothing") == ["No pulse fits."]


def test_list_by_status() -> None:
    run("pulse", "reject", TOOLS.id)
    assert statuses("--status", "rejected") == {"Tools": "rejected"}
    assert statuses("--status", "waiting", "--author", "alice") == {"Phishing wave": "waiting"}
    assert lines("pulse", "list", "--status", "held") == ["No pulse is held."]
    assert lines("pulse", "list")[0].split() == ["id", "modified", "author", "indicators", "status", "name"]
    with pytest.raises(UsageError, match="new: there is no such status; there are active, withdrawn, waiting"):
        call("pulse", "list", "--status", "new")


def test_without_a_collection_that_reviews_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSEGATE_COLLECTIONS", "[]")
    for name in ("checked", "strict"):
        run("collection", "remove", name)
    assert statuses() == {"Phishing wave": "active", "Tools": "active"}
