"""A task that is on its way."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from ._errors import Refused, TaskCancelled

if TYPE_CHECKING:
    from ._http import Http

T = TypeVar("T")

_NOT_FOUND = 404


class TaskFuture(Future[T]):
    """A `Future` of one task.

    It ends with what the task answered, with what the function raised, or with `TaskFailed` or `TaskCancelled`.
    """

    def __init__(self, http: "Http", task: str, name: str) -> None:
        super().__init__()
        self._http = http
        # One that is settled and one that is cancelled at once end in one way; a callback may come back here.
        self._ending = threading.RLock()
        self._is_taken_back = False
        self.task = task
        """Its id, for `mutirao why` and its like."""
        self.name = name
        """Its name."""

    def cancel(self) -> bool:
        """Takes the task back at the master, also when it runs; whether that was in time."""
        if self.done():
            return self.cancelled()
        self._is_taken_back = True
        stands = self._http.post(f"/api/v1/tasks/{self.task}/cancel")
        if stands["state"] == "cancelled":
            self._end_cancelled()
        return self.cancelled()

    def settle(self, answer: T | None, error: BaseException | None) -> None:
        """Ends it, unless it has ended; who took it back is not told that it was taken back."""
        with self._ending:
            if self.done():
                return
            if isinstance(error, TaskCancelled) and self._is_taken_back:
                self._end_cancelled()
            elif error is not None:
                self.set_exception(error)
            else:
                self.set_result(answer)  # type: ignore[arg-type]

    def _end_cancelled(self) -> None:
        with self._ending:
            if not self.done() and super().cancel():
                # Those who wait for several hear of it.
                self.set_running_or_notify_cancel()

    def running(self) -> bool:
        """Whether a peer runs it now; asks the master."""
        return not self.done() and bool(self._http.get(f"/api/v1/tasks/{self.task}")["state"] == "leased")

    def stdout(self) -> str:
        """What the task printed; nothing before it has ended."""
        return self._text("stdout")

    def stderr(self) -> str:
        """What the task printed as errors; nothing before it has ended."""
        return self._text("stderr")

    def _text(self, which: str) -> str:
        try:
            return self._http.raw("GET", f"/api/v1/tasks/{self.task}/{which}").decode(errors="replace")
        except Refused as refused:
            if refused.status == _NOT_FOUND:
                return ""
            raise
