"""Waits for the ends of tasks: one thread listens, one fetches what ended and settles its future.

Rule: an event only says where to look. What was missed, because the connection broke or the master was started again, is found by
looking at each open task after every new connection, and at some of them whenever nothing happens.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from itertools import islice
from typing import Any, Callable

from ._errors import MutiraoError, NoMaster, Refused, TaskCancelled, TaskFailed
from ._future import TaskFuture
from ._http import Events, Http

_AGAIN_AFTER = 0.5
"""How long after a connection broke the next one is tried, in seconds; the master may be starting."""
_QUIET = 5.0
"""How long nothing happens before some open tasks are looked at, …"""
_LOOKED_AT = 16
"""… and how many of them: as much as costs nothing."""
_ENDED_MAX = 10_000
"""Tasks remembered that ended before their future was known here: what other programs hand in ends too."""
_STDERR_TAIL = 2000
"""The end of a failed task's errors that its exception tells, in characters: a traceback."""
_NOT_FOUND = 404
_UNANSWERED = 504

class Open:
    """A task that has not ended."""

    def __init__(self, future: TaskFuture[Any], succeed: Callable[[bytes], Any], fail: Callable[[bytes], Any]) -> None:
        self.future = future
        self.succeed = succeed
        """Makes the answer out of the result's ZIP."""
        self.fail = fail
        """Makes the exception out of the last output's ZIP, or nothing if it says nothing."""


class Watcher:
    """Settles the futures of one executor."""

    def __init__(self, http: Http, patience: float) -> None:
        self._http = Http(http.address)
        self._patience = patience
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Open] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._news: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._events: Events | None = None
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=f"mutirao-{work.__name__.strip('_')}", daemon=True)
            for work in (self._listen, self._settle_all)
        ]

    def start(self) -> None:
        """Begins to listen."""
        for thread in self._threads:
            thread.start()

    def watch(self, task: str, entry: Open) -> None:
        """One more task."""
        with self._lock:
            self._open[task] = entry
            has_ended = self._ended.pop(task, 0) is None
        if has_ended:
            self._news.put(task)

    def open(self) -> list[TaskFuture[Any]]:
        """What has not ended."""
        with self._lock:
            return [entry.future for entry in self._open.values()]

    def stop(self) -> None:
        """Ends both threads."""
        self._stopped.set()
        self._news.put(None)
        with self._lock:
            events = self._events
        if events is not None:
            events.stop()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join()
        self._http.close()

    def _listen(self) -> None:
        lost_at: float | None = None
        while not self._stopped.is_set():
            try:
                events = self._http.events("TaskEnded")
            except MutiraoError as error:
                now = time.monotonic()
                lost_at = now if lost_at is None else lost_at
                if now - lost_at > self._patience:
                    self._give_up(error)
                    lost_at = None
                self._stopped.wait(_AGAIN_AFTER)
                continue
            lost_at = None
            with self._lock:
                self._events = events
                known = list(self._open)
            # Whoever stopped us meanwhile did not know of it.
            if self._stopped.is_set():
                events.stop()
            for task in known:
                self._news.put(task)
            for body in events.bodies():
                self._hear(str(body.get("task")))
            events.close()

    def _hear(self, task: str) -> None:
        with self._lock:
            if task not in self._open:
                self._ended[task] = None
                if len(self._ended) > _ENDED_MAX:
                    self._ended.popitem(last=False)
                return
        self._news.put(task)

    def _give_up(self, error: MutiraoError) -> None:
        """The master did not come back: whoever waits is told."""
        with self._lock:
            entries = list(self._open.values())
            self._open.clear()
        for entry in entries:
            entry.future.settle(None, error)

    def _settle_all(self) -> None:
        while not self._stopped.is_set():
            try:
                task = self._news.get(timeout=_QUIET)
            except queue.Empty:
                for task in self._some():
                    self._settle(task)
                continue
            if task is not None:
                self._settle(task)

    def _some(self) -> list[str]:
        """Some open tasks; the next time it is others."""
        with self._lock:
            some = list(islice(self._open, _LOOKED_AT))
            for task in some:
                self._open.move_to_end(task)
        return some

    def _settle(self, task: str) -> None:
        """Looks at a task, and ends its future if it has ended."""
        with self._lock:
            entry = self._open.get(task)
        if entry is None:
            return
        try:
            ended = self._outcome(task, entry)
        except NoMaster:
            # Whoever listens sees it too, and all are looked at when it is back.
            return
        except MutiraoError as error:
            if isinstance(error, Refused) and error.status == _UNANSWERED:
                return
            ended = None, error
        if ended is None:
            return
        with self._lock:
            self._open.pop(task, None)
        entry.future.settle(*ended)

    def _outcome(self, task: str, entry: Open) -> tuple[Any, BaseException | None] | None:
        """The answer or the exception of a task that has ended."""
        future = entry.future
        try:
            report = self._http.get(f"/api/v1/tasks/{task}")
        except Refused as refused:
            if refused.status != _NOT_FOUND:
                raise
            return None, TaskFailed(task, future.name, "the master does not know it any more")
        state, reason = report["state"], report.get("reason") or "for no reason that is known"
        if state == "cancelled":
            return None, TaskCancelled(task, future.name, reason)
        if state not in ("done", "failed"):
            return None
        archive = None
        if report.get("result_file"):
            archive = self._http.raw("GET", f"/api/v1/tasks/{task}/result")
        try:
            if state == "done" and archive is not None:
                return entry.succeed(archive), None
            raised = entry.fail(archive) if archive is not None else None
        except Exception as error:  # A result is made by others, and may be anything.
            return None, error
        stderr = future.stderr()[-_STDERR_TAIL:] if archive is not None else ""
        return None, raised or TaskFailed(task, future.name, reason, stderr)
