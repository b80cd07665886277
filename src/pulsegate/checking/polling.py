"""Asks for windows as a mail gateway does: three tries, waiting where the server says so, part after part."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from pulsegate.checking import faults, messages, services
from pulsegate.checking.answer import Answer
from pulsegate.checking.client import Client, FailedError, check_status
from pulsegate.checking.findings import Fault, Findings
from pulsegate.checking.reading import MalformedError, TooMuchError, read
from pulsegate.checking.windows import Window

ATTEMPTS = 3
PAUSE = 1.0  # seconds between two of them
LONGEST_WAIT = 60.0  # seconds that a server may ask to wait
MOST_WAITS = 20
MOST_PARTS = 100_000


class Poller:
    """Polls one collection at one address; what is wrong with the answers goes to ``findings``.

    ``tell`` gets a line where something is waited for.
    """

    def __init__(
        self, client: Client, address: str, collection: str, findings: Findings, tell: Callable[[str], None]
    ) -> None:
        self.tell = tell
        self.client = client
        self.address = address
        self.collection = collection
        self.findings = findings
        self.first_byte = 0.0  # seconds, of the latest answer
        self.doing = ""  # what was asked for last, for people
        self._went_past_end = False

    def poll(self, window: Window, where: str, *, gzip: bool = False, binding: str | None = None) -> Answer:
        """All of the window, its parts taken together. FailedError, which ``findings`` doesn't know yet."""
        now = datetime.now(UTC)
        answer = self.ask(messages.poll(self.collection, window, binding=binding), window, where, gzip=gzip)
        if not answer.is_poll_response:
            raise FailedError(self.refusal(answer))
        if answer.more:
            self._fetch_parts(answer, where)
        self.add(faults.of_poll(answer, now), where)
        return answer

    def add(self, found: Iterable[Fault], where: str) -> None:
        for fault in found:
            self.findings.add(fault, where)

    def ask(self, message: bytes, window: Window, where: str, *, gzip: bool = False) -> Answer:
        """The answer, whatever message it is. FailedError: three tries failed."""
        tries = waits = 0
        while True:
            self.doing = where
            try:
                answer = self._once(message, window, where, gzip=gzip)
            except FailedError as error:
                tries += 1
                if not error.again or tries >= ATTEMPTS:
                    raise
                self.findings.add(error.fault, where)
                self.tell(f"{where}: {error.fault.what}; tried again")
                self._sleep(PAUSE)
                continue
            if answer.status != "RETRY" or waits >= MOST_WAITS:
                return answer
            waits += 1
            wait = min(answer.wait if answer.wait is not None else PAUSE, LONGEST_WAIT)
            asked = f"the server asks to come back in {wait:.0f} s: {answer.message}"
            self.doing = f"{where}, where {asked}"
            self.tell(asked)
            self._sleep(wait)

    def _sleep(self, seconds: float) -> None:
        time.sleep(min(max(seconds, 0.0), self.client.left()))

    def _once(self, message: bytes, window: Window, where: str, *, gzip: bool) -> Answer:
        with self.client.asking(self.address, message, gzip=gzip) as (head, body):
            check_status(head, body)
            self.first_byte = head.seconds
            self.add(head.faults(gzip=gzip), where)
            try:
                return read(body, window)
            except MalformedError as error:
                code = "cut" if error.cut else "malformed"
                raise FailedError(Fault(code, f"The answer can't be read: {error}"), again=error.cut) from error
            except TooMuchError as error:
                raise FailedError(Fault("too-large", f"The answer can't be read: {error}")) from error

    def refusal(self, answer: Answer) -> Fault:
        """Why it is no Poll_Response."""
        if answer.root != "Status_Message":
            return Fault("not-poll", f"A poll is answered with {answer.root}")
        said = f"{answer.status}: {answer.message}" if answer.message else answer.status
        if answer.status in ("NOT_FOUND", "DESTINATION_COLLECTION_ERROR"):
            there = services.names(self.client, self.address)
            known = f"There are: {', '.join(there[:40])}" if there else "The server lists none for this account"
            return Fault("no-collection", f"There is no collection {self.collection!r} there ({said}). {known}")
        if answer.status == "UNAUTHORIZED":
            return Fault("unauthorized", f"A poll is answered with {said}")
        return Fault("status", f"A poll is answered with {said}")

    def _fetch_parts(self, answer: Answer, where: str) -> None:
        """Take the other parts of the result into the answer, the first part."""
        part, number = answer, 1
        while part.more and number < MOST_PARTS:
            if not answer.result_id:
                self.findings.add(Fault("no-result-id", "more=true, but no result_id"), where)
                return
            if number > 1 and not part.blocks:
                self.findings.add(Fault("empty-part", f"Part {number} is empty, and says that more follow"), where)
                return
            number += 1
            before, part = part, self._part(answer, number, where)
            if not part.is_poll_response:
                raise FailedError(Fault("part", f"Part {number} is answered with {part.status or part.root}"))
            if part.blocks and part.digests.whole == before.digests.whole:
                self.findings.add(Fault("same-part", f"Part {number} is the same as the one before"), where)
                return
            answer.extend(part)
        if not self._went_past_end:
            self._went_past_end = True
            self._go_past_end(answer, number + 1, where)

    def _part(self, answer: Answer, number: int, where: str) -> Answer:
        assert answer.result_id is not None
        message = messages.fulfilment(self.collection, answer.result_id, number)
        return self.ask(message, answer.window, f"{where}, part {number}")

    def _go_past_end(self, answer: Answer, number: int, where: str) -> None:
        """What Cabby 0.1.18 to 0.1.23 does: it goes on until a part has no block."""
        assert answer.result_id is not None
        message = messages.fulfilment(self.collection, answer.result_id, number)
        try:
            past = self._once(message, answer.window, where, gzip=False)
            said = past.status or past.root
            good = past.is_poll_response and not past.blocks
            what = f"with {past.blocks} blocks" if past.is_poll_response else f"with {said}"
        except FailedError as error:
            good, what = False, f"so: {error.fault.what}"
        if not good:
            self.findings.add(Fault("past-the-end", f"Part {number}, one past the last, is answered {what}"), where)

    def try_wrong_password(self, window: Window) -> str:
        """Poll with a password that nobody has; gives a line that says what came."""
        assert self.client.account is not None
        wrong = (self.client.account[0], secrets.token_urlsafe(24))
        message = messages.poll(self.collection, window)
        try:
            with self.client.asking(self.address, message, account=wrong) as (head, body):
                if head.status == 401:  # noqa: PLR2004
                    if "WWW-Authenticate" not in head.headers:
                        self.findings.add(
                            Fault("no-challenge", "HTTP 401 without WWW-Authenticate"), "a wrong password"
                        )
                    return "a wrong password is refused with HTTP 401"
                if head.status == 429:  # noqa: PLR2004
                    return "a wrong password is refused with HTTP 429: there were others before"
                check_status(head, body)
                answer = read(body, window)
        except (FailedError, MalformedError, TooMuchError) as error:
            what = error.fault.what if isinstance(error, FailedError) else str(error)
            self.findings.add(Fault("wrong-password", f"A wrong password is answered so: {what}"))
            return f"a wrong password: {what}"
        if answer.is_poll_response:
            self.findings.add(Fault("any-password", "Any password is good enough"))
            return "a wrong password is taken as well"
        said = f"HTTP 200 and {answer.status or answer.root}"
        self.findings.add(Fault("wrong-password", f"A wrong password is answered with {said}, not with HTTP 401"))
        return f"a wrong password is answered with {said}"
