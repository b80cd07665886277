"""The check from begin to end, as a mail gateway goes: age, segments, a delta; then what else is worth asking."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pulsegate.checking import connection, faults, messages, services, windows
from pulsegate.checking.answer import Answer
from pulsegate.checking.client import Client, FailedError, OutOfTimeError
from pulsegate.checking.findings import Fault, Findings
from pulsegate.checking.polling import ATTEMPTS, Poller
from pulsegate.checking.report import Report
from pulsegate.checking.windows import Window

MOST_KNOWN = 500_000  # blocks that are remembered
_OLDER = "1.1.1"
_PROBE = timedelta(seconds=1)
_LOG = "THREAT_FEEDS"  # begins those lines that the appliance writes in these words, too


@dataclass(frozen=True, slots=True)
class Target:
    """What is checked. ``account``: user name and password; ``seconds``: for all of it."""

    address: str
    collection: str
    account: tuple[str, str] | None
    age: timedelta
    segment: timedelta
    seconds: float
    ca_file: Path | None = None
    wrong_password: bool = True


def check(target: Target, tell: Callable[[str], None]) -> Report:
    """Poll it and say what was found; ``tell`` gets lines for people as it goes. Never raises for a server's faults."""
    started = time.monotonic()
    client = Client(target.address, target.account, ca_file=target.ca_file, seconds=target.seconds)
    try:
        course = _Course(target, client, tell)
        course.go()
    finally:
        client.close()
    course.report.seconds = time.monotonic() - started
    return course.report


class _StopError(Exception):
    """Nothing that comes after this can be done; why is known already."""


class _Course:
    def __init__(self, target: Target, client: Client, tell: Callable[[str], None]) -> None:
        self._target = target
        self._tell = tell
        self._client = client
        self._findings = Findings()
        self._poller = Poller(client, target.address, target.collection, self._findings, tell)
        self._known: set[int] = set()
        self._now = datetime.now(UTC)
        self.report = Report(target.address, target.collection, findings=self._findings)

    def go(self) -> None:
        count = windows.count(self._target.age, self._target.segment)
        try:
            self._connect()
            self._locate()
            self._try_wrong_password()
            answers = self._poll_segments(count)
            self._poll_delta(answers)
            self._poll_again(answers)
            self._poll_without_end(answers[-1])
            self._poll_older(answers)
            self.report.finished = True
        except _StopError:
            pass
        except OutOfTimeError:
            done = f"{self.report.segments} of {count} segments were polled"
            what = f"The {self._target.seconds:.0f} s of the check were over: {done}"
            self._findings.add(Fault("unfinished", what), self._poller.doing)

    @contextmanager
    def _stopping(self, where: str) -> Iterator[None]:
        """A failure in it ends the check."""
        try:
            yield
        except FailedError as error:
            self._findings.add(error.fault, where)
            raise _StopError from error

    def _connect(self) -> None:
        self._poller.add(connection.plain_http(self._target.address), "")
        if self._client.uses_proxy:
            self._tell("the way goes through a proxy of the environment")
            return
        with self._stopping("connection"):
            for one in connection.look(self._target.address, self._target.ca_file):
                if isinstance(one, Fault):
                    self._findings.add(one)
                else:
                    self._tell(one)

    def _probe(self) -> Window:
        """The shortest poll that is one."""
        return Window(self._now - _PROBE, self._now)

    def _locate(self) -> None:
        """Find out whether the address is polled, or tells where that is."""
        window = self._probe()
        with self._stopping("first poll"):
            fault = self._refused(window)
            if fault is not None:
                self._ask_services(fault)
                if (fault := self._refused(window)) is not None:
                    raise FailedError(fault)
        self._tell(f"polled at {self._poller.address}; first byte after {self._poller.first_byte:.3f} s")
        self.report.address = self._poller.address
        told = services.ask(self._client, self._poller.address)
        self._poller.add(services.advertised(told, self._target.collection, self._client, self._target.address), "")

    def _refused(self, window: Window) -> Fault | None:
        """Why it is not polled there; None: it is. FailedError: no other address helps."""
        try:
            answer = self._poller.ask(messages.poll(self._target.collection, window), window, "first poll")
        except FailedError as error:
            if error.fault.code in ("http", "path", "not-taxii", "taxii-version", "malformed") and not error.again:
                return error.fault
            raise
        if answer.is_poll_response:
            return None
        fault = self._poller.refusal(answer)
        if fault.code in ("no-collection", "unauthorized"):
            raise FailedError(fault)
        return fault

    def _ask_services(self, fault: Fault) -> None:
        """Go on at the poll address that the server tells. FailedError(fault): it tells none."""
        address = self._poller.address
        told = services.ask(self._client, address)
        for manager in told.managers:
            if self._client.may_send(manager) and manager != address:
                more = services.ask(self._client, manager)
                told = services.Services(more.polls + told.polls, told.managers, more.names)
        places = told.poll_addresses(self._target.collection)
        own = [one for one in places if self._client.may_send(one) and one != address]
        if own:
            self._tell(f"{address} is not polled itself; it tells that {self._target.collection} is at {own[0]}")
            self._poller.address = own[0]
        elif told.names and self._target.collection not in told.names:
            names = ", ".join(told.names[:40])
            raise FailedError(
                Fault("no-collection", f"There is no collection {self._target.collection!r}. There are: {names}")
            )
        elif places and places != [address]:
            raise FailedError(
                Fault("other-host", f"{address} tells to poll at {places[0]}: another scheme, host or port")
            )
        else:
            raise FailedError(fault)

    def _try_wrong_password(self) -> None:
        if self._client.account is None:
            self._findings.add(Fault("no-account", "Polled without user name and password"))
        elif self._target.wrong_password:
            self._tell(self._poller.try_wrong_password(self._probe()))

    def _poll_segments(self, count: int) -> list[Answer]:
        """One answer for each segment of the age, as the first poll of an appliance."""
        self._tell(f"First poll of {self._target.collection}: {count} segments until now")
        answers: list[Answer] = []
        for window in windows.segments(self._now, self._target.age, self._target.segment):
            answer = self._polled(window, f"segment {window}")
            self._poller.add(faults.of_neighbours(self._known, answers[-1] if answers else None, answer), str(window))
            self._remember(answer)
            answers.append(answer)
            self.report.add(answer)
            if answer.blocks:
                self._tell(_line(answer))
        self._tell_fetched(self.report.tally.uses)
        self._judge(answers)
        return answers

    def _tell_fetched(self, count: int) -> None:
        self._tell(f"{_LOG}: {count} observables were fetched from the source: {self._target.collection}")

    def _polled(self, window: Window, where: str) -> Answer:
        try:
            return self._poller.poll(window, where)
        except FailedError as error:
            self._findings.add(error.fault, where)
            tries = f" after {ATTEMPTS} failed attempts" if error.again else ""
            unable = f"{_LOG}: Unable to fetch the observables from the source: {self._target.collection}{tries}"
            self._tell(f"{unable}. Reason for failure: {error.fault.what}")
            raise _StopError from error

    def _remember(self, answer: Answer) -> None:
        """Keep of the blocks what tells whether they come again, as far as there is room."""
        if len(self._known) < MOST_KNOWN:
            self._known |= answer.digests.blocks
        answer.digests.blocks = set()

    def _judge(self, answers: list[Answer]) -> None:
        self._poller.add(faults.of_history(answers), "")
        self._poller.add(faults.of_use(self.report.tally, sum(one.blocks for one in answers)), "")

    def _poll_delta(self, answers: list[Answer]) -> None:
        self._tell(f"{_LOG}: A delta poll is scheduled for the source: {self._target.collection}")
        begin = answers[-1].reached or self._now
        delta = self._polled(Window(begin, max(begin, datetime.now(UTC))), "delta")
        self._poller.add(faults.of_delta(self._known, delta), "delta")
        self._tell_fetched(delta.tally.uses)

    def _poll_again(self, answers: list[Answer]) -> None:
        """The last segment that has something, closed as it was answered; once more with gzip."""
        before = next((one for one in reversed(answers) if one.blocks), answers[-1])
        window = Window(before.window.begin, before.reached)
        again = self._polled_aside(window, "the same segment again", gzip=True)
        if again is None:
            return
        if faults.is_same(before, again):
            self._tell("the same segment again: the same answer")
            return
        third = self._polled_aside(window, "the same segment a third time")
        if third is not None:
            self._poller.add(faults.of_repetition(before, again, third), str(window))
            self._tell("the same segment again: another answer")

    def _poll_without_end(self, last: Answer) -> None:
        window = Window(last.reached or self._now, None)
        if (answer := self._polled_aside(window, "a poll without an end")) is not None:
            self._poller.add(faults.of_delta(self._known, answer), "a poll without an end")

    def _poll_older(self, answers: list[Answer]) -> None:
        """Ask for one version only, where there is something to ask for."""
        filled = [one for one in answers if one.blocks]
        if not filled:
            return
        polled = min(filled, key=lambda one: one.bytes)
        where = f"a poll for STIX {_OLDER} only"
        try:
            answer = self._poller.poll(polled.window, where, binding=messages.STIX_BINDINGS[_OLDER])
        except FailedError as error:
            if error.fault.code != "status":  # to say that it is not served is an answer
                self._findings.add(error.fault, where)
            return
        self._poller.add(faults.of_binding(_OLDER, polled, answer), str(polled.window))

    def _polled_aside(self, window: Window, where: str, *, gzip: bool = False) -> Answer | None:
        """A poll whose failure doesn't end the check."""
        try:
            return self._poller.poll(window, where, gzip=gzip)
        except FailedError as error:
            self._findings.add(error.fault, where)
            self._tell(f"{where}: {error.fault.what}")
            return None


def _line(answer: Answer) -> str:
    blocks = "1 block" if answer.blocks == 1 else f"{answer.blocks} blocks"
    parts = f" in {answer.parts} parts" if answer.parts > 1 else ""
    used, ignored = answer.tally.uses, answer.tally.ignores
    return f"{answer.window}: {blocks}{parts}, {answer.bytes:,} bytes, {used} observables, {ignored} ignored"
