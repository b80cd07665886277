"""What the pages may ask the worker to do, and how the worker does it: one task of a lane at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from pulsegate.cli import asked
from pulsegate.cli.setup import Installation
from pulsegate.errors import PulsegateError
from pulsegate.intake.taking import Intake
from pulsegate.publication import change, effect
from pulsegate.store import tasks
from pulsegate.store.tasks import Lane, Task

log = structlog.get_logger(__name__)

PAUSE = 1.0  # seconds between two looks at the queue, and between two notes of progress
Result = dict[str, Any]


class Progress:
    """How far a task is: ``told`` is what was said last, as JSON can write it."""

    def __init__(self) -> None:
        self.told: Mapping[str, Any] | None = None

    def say(self, step: str, **more: Any) -> None:
        """``done`` and ``total``, where given, are shown as a bar."""
        self.told = {"step": step, **more}

    def fetched(self, intake: Intake, total: int | None) -> None:
        self.say("pulling", done=intake.pulses, total=total, indicators=intake.indicators)

    def publishing(self, collection: str) -> None:
        self.say("publishing", name=collection)


def _try_appliance(where: Installation, arguments: Mapping[str, Any], progress: Progress) -> Result:
    """``address``, ``path``, ``collection``, ``account``: what the appliance would be given."""
    from pulsegate.cli.rehearsal import rehearse

    return rehearse(where, arguments, progress.say)


def _try_rules(where: Installation, arguments: Mapping[str, Any], _progress: Progress) -> Result:
    from pulsegate.cli.ruling import try_rules

    return try_rules(where, arguments)


def _remove_collection(where: Installation, arguments: Mapping[str, Any], _progress: Progress) -> Result:
    from pulsegate.cli.ruling import remove

    return remove(where, arguments)


def _read_draft(where: Installation, arguments: Mapping[str, Any], _progress: Progress) -> Result:
    from pulsegate.cli.drafting import look

    return look(where, arguments)


def _take_draft(where: Installation, arguments: Mapping[str, Any], progress: Progress) -> Result:
    from pulsegate.cli.drafting import take

    added = take(where, arguments)
    return added | asked.publish(where, arguments, progress)


def _remove_own(where: Installation, arguments: Mapping[str, Any], progress: Progress) -> Result:
    """``pulse``: its key; ``keys``: of the indicators, None: all up to the key ``upto``; ``account``."""
    from pulsegate.sync.owning import remove_keys

    pulse, upto = int(arguments["pulse"]), arguments.get("upto")
    remove_keys(where.database, str(arguments["account"]), pulse, arguments["keys"], upto)
    return asked.publish(where, arguments, progress)


def _effect(where: Installation, arguments: Mapping[str, Any], progress: Progress) -> Result:
    """What a change of the allow list would do; the arguments are those of ``change.written``."""
    progress.say("counting")
    return {"effects": effect.as_json(effect.effects(where.database, where.policy, change.read(arguments)))}


def _decide(where: Installation, arguments: Mapping[str, Any], progress: Progress) -> Result:
    """Make a change of the allow list that concerns much, and publish it. ``account``: who decided."""
    progress.say("deciding")
    with where.database.write() as connection:
        change.read(arguments).note(connection, str(arguments["account"]))
    return asked.publish(where, {}, progress)


KINDS: dict[str, Callable[[Installation, Mapping[str, Any], Progress], Result]] = {
    "publish": asked.publish,
    "pull": asked.pull,
    "key": asked.test_key,
    "retry": asked.try_again,
    "try_appliance": _try_appliance,
    "try_rules": _try_rules,
    "remove_collection": _remove_collection,
    "read_draft": _read_draft,
    "take_draft": _take_draft,
    "remove_own": _remove_own,
    "effect": _effect,
    "decide": _decide,
}


# A pull takes hours at times, and what a curator decides must not wait for it.
LANES = (Lane(frozenset({"pull"})), Lane(frozenset({"pull"}), others=True))


class Runner:
    """The threads that look for tasks, one a lane. What a worker before this one had begun is marked as failed."""

    def __init__(self, where: Installation) -> None:
        self._where = where
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(one,), name="tasks", daemon=True) for one in LANES]

    def start(self) -> None:
        with self._where.database.write() as connection:
            buried = tasks.bury(connection)
        if buried:
            log.warning("task.buried", count=buried, reason=tasks.DIED)
        for one in self._threads:
            one.start()

    def stop(self) -> None:
        """Take no more. What is being done ends with the process, and the next worker says so."""
        self._stopped.set()

    def _run(self, lane: Lane) -> None:
        while not self._stopped.wait(PAUSE):
            try:
                while not self._stopped.is_set() and self.once(lane):
                    pass
            except PulsegateError as error:
                log.error("task.put_off", reason=str(error))  # noqa: TRY400 - the reason is the whole story

    def once(self, lane: Lane | None = None) -> bool:
        """Do what waits longest (in the lane), if anything waits."""
        database = self._where.database
        with database.read() as connection:
            if not tasks.waits(connection, lane):
                return False
        with database.write() as connection:
            task = tasks.take(connection, lane)
        if task is not None:
            self._do(task)
        return task is not None

    def _do(self, task: Task) -> None:
        """In a thread of its own, while this one notes how far it is."""
        log.info("task.started", kind=task.kind, task=task.pk)
        work = _Work(self._where, task)
        work.start()
        noted = None
        while work.is_alive():
            work.join(PAUSE)
            if work.is_alive() or work.progress.told != noted:
                noted = work.progress.told
                self._note(task, noted)
        with self._where.database.write() as connection:
            tasks.finish(connection, task.pk, result=work.result, error=work.error)
        log.info("task.finished", kind=task.kind, task=task.pk, error=work.error)

    def _note(self, task: Task, told: Mapping[str, Any] | None) -> None:
        try:
            with self._where.database.write() as connection:
                tasks.beat(connection, task.pk, told)
        except PulsegateError as error:  # the database is busy: the next note will do
            log.debug("task.not_noted", task=task.pk, reason=str(error))


class _Work(threading.Thread):
    """One task being done."""

    def __init__(self, where: Installation, task: Task) -> None:
        super().__init__(name=f"task {task.pk}", daemon=True)
        self._where = where
        self._task = task
        self.progress = Progress()
        self.result: Result | None = None
        self.error: str | None = None

    def run(self) -> None:
        try:
            work = KINDS.get(self._task.kind)
            if work is None:
                self.error = f"this version knows no task {self._task.kind}"
                return
            self.result = work(self._where, self._task.arguments, self.progress)
        except PulsegateError as error:
            self.error = str(error)
        except Exception as error:  # the thread's last resort: the page must say that it failed
            log.exception("task.failed", kind=self._task.kind, task=self._task.pk)
            self.error = f"an unexpected error, {type(error).__name__}: {error}"
