"""What strangers write gets at nobody's terminal, and makes no line of a log: not in the log, not in what is printed."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from pulsegate.cli import logs, output, visible

HOSTILE = "\x1b]0;title\x07\x1b[2J red\x9b31m \u202egnp.exe"
SPELLED = r"\x1b]0;title\x07\x1b[2J red\x9b31m \u202egnp.exe"
GOOD = "フィッシング münchen ‘quoted’ 👾 עברית\u200f"


def test_odd_characters_are_spelled_and_all_others_stay() -> None:
    assert visible.line(HOSTILE) == visible.block(HOSTILE) == SPELLED
    assert visible.line(GOOD) == visible.block(GOOD) == GOOD
    assert visible.line("a\nb\tc\rd\u2028e") == r"a\nb\tc\rd\u2028e"
    assert visible.block("a\nb\tc\rd\u2028e") == "a\nb\tc\\rd\\u2028e"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What was logged."""
    monkeypatch.setattr(logs, "_level", logs._level)
    monkeypatch.setattr(logs, "_as_json", logs._as_json)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    handlers, level = logging.root.handlers[:], logging.root.level
    yield lambda: capsys.readouterr().err
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.captureWarnings(False)


def test_line_of_the_log_is_one_line_whatever_is_told(written: Callable[[], str]) -> None:
    logs.configure(logging.INFO)
    structlog.get_logger("x").warning("auth.refused", account=f"x\n2026-01-01 [warning] forged {HOSTILE}", good=GOOD)
    logging.getLogger("library").warning("%s", f"x\nforged {HOSTILE}")
    first, second = written().splitlines()
    assert rf"account='x\n2026-01-01 [warning] forged {SPELLED}'" in first
    assert rf"x\nforged {SPELLED}" in second
    assert "フィッシング münchen" in first


def test_log_that_takes_nothing_ends_nobody(monkeypatch: pytest.MonkeyPatch, written: Callable[[], str]) -> None:
    stream = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - as it is closed it fails once more
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure(logging.INFO)
    for _ in range(2):
        structlog.get_logger("x").warning("pull.failed", reason="x" * 100_000)
    with pytest.raises(OSError, match="No space left"):
        stream.close()


def test_traceback_keeps_its_lines_and_nothing_else(written: Callable[[], str]) -> None:
    logs.configure(logging.INFO)
    structlog.get_logger("x").error("page.failed", exc_info=ValueError(HOSTILE))
    assert f"ValueError: {SPELLED}" in written().splitlines()


def test_line_of_json_is_one_line(written: Callable[[], str]) -> None:
    logs.configure(logging.INFO, as_json=True)
    structlog.get_logger("x").warning("auth.refused", account=f"x\n{HOSTILE}")
    line = written()
    assert json.loads(line)["account"] == f"x\n{HOSTILE}"
    assert "\x1b" not in line
    assert line.count("\n") == 1


def test_line_of_json_does_nothing_to_a_terminal_either(written: Callable[[], str]) -> None:
    logs.configure(logging.INFO, as_json=True)
    text = "\x7f\x9b2J\u2028\u2029\u202e\u2066 フィッシング münchen \\u009b"
    structlog.get_logger("x").warning("auth.refused", account=text)
    line = written()
    assert line.removesuffix("\n").isprintable()
    assert r"\u007f\u009b2J\u2028\u2029\u202e\u2066 フィッシング münchen" in line
    assert json.loads(line)["account"] == text


class Unclosable:
    def __del__(self) -> None:
        raise ValueError(HOSTILE)


def test_what_python_writes_by_itself_is_json_too(written: Callable[[], str]) -> None:
    logs.configure(logging.INFO, as_json=True)
    warnings.showwarning(f"x\n{HOSTILE}", UserWarning, "file.py", 7)  # where warnings are shown, not raised as here
    failing = threading.Thread(target=int, args=(HOSTILE,), name="a thread")
    failing.start()
    failing.join()
    Unclosable()
    logging.getLogger("library").error("failed", exc_info=ValueError(HOSTILE))
    lines = [json.loads(line) for line in written().splitlines()]
    assert [(one["event"].rstrip(), one.get("where", "")[:8]) for one in lines] == [
        (f"file.py:7: UserWarning: x\n{HOSTILE}", ""),
        ("error.unforeseen", "a thread"),
        ("error.unforeseen", "<functio"),
        ("failed", ""),
    ]
    assert all("ValueError" in one["exception"] for one in lines[1:])


def test_printed_texts_do_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.people.print(f"{HOSTILE}\nnext", markup=False)
    output.print_table(["name"], [[HOSTILE]], empty="none")
    output.print_json({"name": HOSTILE})
    output.print_json_line([HOSTILE])
    printed = capsys.readouterr().out
    assert [one for one in printed if not (one.isprintable() or one == "\n")] == ["\u202e"] * 2, "of JSON, on purpose"
    assert printed.startswith(f"{SPELLED}\nnext\n")
    assert json.loads(printed.splitlines()[-1]) == [HOSTILE]


def test_errors_do_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.errors.print(f"pulsegate: {HOSTILE}", markup=False)
    assert capsys.readouterr().err == f"pulsegate: {SPELLED}\n"
