"""A `concurrent.futures.Executor` whose workers are the peers of a master."""

from __future__ import annotations

import concurrent.futures
import io
import math
import os
import threading
import time
import uuid
import warnings
import zipfile
from collections import deque
from itertools import islice
from pathlib import Path
from typing import (
    Any,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    ParamSpec,
    Sequence,
    TypeVar,
    Union,
    overload,
)

from . import _pack, _values
from ._errors import MutiraoError, NoMaster, RemoteError, RemoteTraceback
from ._find import find
from ._future import TaskFuture
from ._http import Http, connect
from ._pack import Row, StrPath
from ._result import Result
from ._watch import Open, Watcher

P = ParamSpec("P")
T = TypeVar("T")

_Call = tuple[tuple[Any, ...], Mapping[str, Any]]

Input = Union[StrPath, Sequence[Row], None]
"""The input of a script: a file, or the rows of a table."""

_GATHER_MAX = 64 << 20
"""Most bytes that an answer is read of: as much as a result carries."""
_GONE_AFTER = 2
"""Tasks in a row that nobody answers to take back, after which no more are tried; once a connection may just have broken."""
_TOLD_MAX = 10
"""Tasks that could not be taken back and are named; the others are counted."""


class Executor(concurrent.futures.Executor):
    """Runs functions and scripts on the peers of a master.

    Without `master` it is found as its peers find it, and by what `MUTIRAO_MASTER`, `MUTIRAO_DISCOVER` and
    `MUTIRAO_DISCOVERY_PORT` say. `files` are files and folders that go with every task, beside the script.
    `trust` names modules whose objects are taken from peers, such as `"numpy"`; see the README for why that is asked.
    `patience` is how many seconds the master may be gone before futures end with `NoMaster`.
    """

    def __init__(
        self,
        master: str | None = None,
        *,
        discover: Sequence[str] = (),
        discovery_ports: Sequence[int] | None = None,
        name: str | None = None,
        files: Iterable[StrPath] = (),
        trust: Sequence[str] = (),
        priority: int | None = None,
        time_limit: float | None = None,
        retries: int | None = None,
        max_running: int | None = None,
        patience: float = 300.0,
    ) -> None:
        if time_limit is not None and time_limit < 1:
            raise ValueError("time_limit is at least one second")
        self._http: Http = connect(find(master, discover, discovery_ports))
        self._files = _pack.named(files)
        self._trust = tuple(trust)
        self._name = name
        self._wishes: dict[str, str | int | None] = {
            "group": f"{name or 'python'}-{uuid.uuid4().hex[:8]}",
            "priority": priority,
            "time_limit_s": None if time_limit is None else math.ceil(time_limit),
            "retries": retries,
            "max_running": max_running,
        }
        self._lock = threading.Condition()
        self._on_their_way = 0
        """Tasks that are being handed in; who waits for `_lock` hears when one is watched."""
        self._watcher = Watcher(self._http, patience)
        self._is_listening = False
        self._is_shut = False

    @property
    def master(self) -> str:
        """The master's HOST:PORT."""
        host, port = self._http.address
        return f"{host}:{port}"

    def status(self) -> dict[str, Any]:
        """How the master and its queue stand, as `mutirao status --json` prints it."""
        status: dict[str, Any] = self._http.get("/api/v1/status")
        return status

    def peers(self) -> list[dict[str, Any]]:
        """Who is there, as `mutirao peers --json` prints it."""
        peers: list[dict[str, Any]] = self._http.get("/api/v1/peers")
        return peers

    @overload
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[T]: ...

    @overload
    def submit(self, fn: StrPath, /, input: Input = None) -> TaskFuture[Result]: ...

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Runs a function with these arguments; or a script, a folder with a `main.py` or a ZIP, with an input."""
        if callable(fn):
            future: TaskFuture[list[Any]] = self._call(fn, [(args, kwargs)], _first)
            return future
        return self._script(fn, *args, **kwargs)

    @overload
    def map(
        self,
        fn: Callable[..., T],
        /,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]: ...

    @overload
    def map(
        self,
        fn: StrPath,
        rows: Iterable[Row],
        /,
        *,
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[Result]: ...

    def map(
        self,
        fn: Any,
        /,
        *iterables: Any,
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[Any]:
        """Runs a function for each row, and yields what it answers in their order; or a script for each `chunksize` rows.

        A task costs some hundredths of a second besides its work, so give quick functions a `chunksize`. All tasks are handed in
        at once, or `buffersize` of them and then one for each that was answered, for rows without end.
        """
        if chunksize < 1 or (buffersize is not None and buffersize < 1):
            raise ValueError("chunksize and buffersize are at least 1")
        until = None if timeout is None else time.monotonic() + timeout
        if callable(fn):
            chunks = _chunks(zip(*iterables), chunksize)
            calls: Iterator[list[_Call]] = ([(args, {}) for args in chunk] for chunk in chunks)
            lists = (self._call(fn, chunk, list) for chunk in calls)
            first = _hand_in_first(lists, buffersize)
            return (answer for answers in _in_order(first, lists, until) for answer in answers)
        (rows,) = iterables
        results = (self._script(fn, chunk) for chunk in _chunks(rows, chunksize))
        return _in_order(_hand_in_first(results, buffersize), results, until)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes nothing more. With `wait` it comes back when all has ended; without, what was handed in goes on."""
        with self._lock:
            self._is_shut = True
        if cancel_futures:
            # Before it comes back, since a program that ends does not wait for what closes behind it.
            _take_back(self._watcher.open())
        if wait:
            self._close(cancel_futures)
        else:
            threading.Thread(target=self._close, args=(cancel_futures,), name="mutirao-close", daemon=True).start()

    def _close(self, cancel_futures: bool) -> None:
        # What another thread hands in meanwhile would have a future that nobody settles.
        with self._lock:
            self._lock.wait_for(lambda: self._on_their_way == 0)
        open_ = self._watcher.open()
        if cancel_futures:
            _take_back(open_)
        concurrent.futures.wait(open_)
        self._watcher.stop()
        self._http.close()

    def _call(
        self,
        function: Callable[..., Any],
        calls: Sequence[_Call],
        answer: Callable[[list[Any]], Any],
    ) -> TaskFuture[Any]:
        task = _pack.call(function, calls, self._files)
        name = self._name or getattr(function, "__name__", "call").strip("<>")

        def succeed(_task: str, _name: str, archive: bytes) -> Any:
            is_well, answers = self._answer(archive)
            if not is_well or not isinstance(answers, bytes):
                raise RemoteError("the task ended well, and left no answer")
            return answer(_values.read(answers, self._trust))

        return self._hand_in(task, name, succeed, self._raised)

    def _script(self, what: StrPath, input: Input = None) -> TaskFuture[Result]:
        given: bytes | None
        if input is None:
            given = None
        elif isinstance(input, (str, os.PathLike)):
            given = Path(input).read_bytes()
        else:
            given = _pack.table(input)
        task = _pack.script(what, given, {} if Path(what).suffix.lower() == ".zip" else self._files)
        name = self._name or Path(what).resolve().stem
        return self._hand_in(task, name, Result, lambda _archive: None)

    def _hand_in(
        self,
        task: bytes,
        name: str,
        succeed: Callable[[str, str, bytes], Any],
        fail: Callable[[bytes], BaseException | None],
    ) -> TaskFuture[Any]:
        with self._lock:
            if self._is_shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if not self._is_listening:
                self._is_listening = True
                self._watcher.start()
            self._on_their_way += 1
        try:
            accepted = self._http.post("/api/v1/tasks", {"name": f"{name}.zip", **self._wishes}, task)
            identity, name = str(accepted["task_id"]), str(accepted["task_name"])
            future: TaskFuture[Any] = TaskFuture(self._http, identity, name)
            self._watcher.watch(identity, Open(future, lambda archive: succeed(identity, name, archive), fail))
        finally:
            with self._lock:
                self._on_their_way -= 1
                self._lock.notify_all()
        return future

    def _answer(self, archive: bytes) -> tuple[bool, Any]:
        """What the function's `main.py` left."""
        with zipfile.ZipFile(io.BytesIO(archive)) as zip_:
            if "answer.pickle" not in zip_.namelist():
                raise RemoteError("the peer's result holds no answer: it is too large, or its peer is of another program")
            with zip_.open("answer.pickle") as file:
                is_well, answer = _values.read(file.read(_GATHER_MAX))
        return bool(is_well), answer

    def _raised(self, archive: bytes) -> BaseException | None:
        """What the function raised; nothing if it did not come to that."""
        try:
            is_well, told = self._answer(archive)
        except RemoteError:
            return None
        if is_well or not isinstance(told, dict):
            return None
        raised: object = None
        if isinstance(told.get("exception"), bytes):
            try:
                raised = _values.read(told["exception"], self._trust)
            except Exception:  # It is told in words instead.
                raised = None
        if not isinstance(raised, Exception):
            raised = RemoteError(f"{told.get('type')}: {told.get('text')}")
        raised.__cause__ = RemoteTraceback(str(told.get("traceback", "")))
        return raised


def _first(answers: list[Any]) -> Any:
    return answers[0]


def _chunks(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rows = iter(rows)
    while chunk := list(islice(rows, size)):
        yield chunk


def _hand_in_first(futures: Iterator[TaskFuture[T]], most: int | None) -> deque[TaskFuture[T]]:
    """So many of them, or all; if one cannot be handed in, those before it are taken back, as nobody gets their futures."""
    first: deque[TaskFuture[T]] = deque()
    try:
        first.extend(islice(futures, most))
    except BaseException:
        _take_back(first)
        raise
    return first


def _in_order(
    open_: deque[TaskFuture[T]], others: Iterator[TaskFuture[T]], until: float | None
) -> Generator[T, None, None]:
    """What they answer, in their order, with another handed in for each; when nobody reads on, the open ones are taken back."""
    try:
        while open_:
            left = None if until is None else until - time.monotonic()
            # It is let go of, so that what it answered is not held here.
            answer = open_.popleft().result(left)
            open_.extend(islice(others, 1))
            yield answer
    finally:
        _take_back(open_)


def _take_back(futures: Iterable[TaskFuture[Any]]) -> None:
    """Takes all of them back; those that cannot be are told together, since they go on."""
    left: list[str] = []
    unanswered = 0
    for future in futures:
        if future.done():
            continue
        if unanswered >= _GONE_AFTER:
            left.append(f"{future.name}: the master is gone")
            continue
        try:
            future.cancel()
            unanswered = 0
        except MutiraoError as error:
            unanswered = unanswered + 1 if isinstance(error, NoMaster) else 0
            left.append(f"{future.name}: {error}")
    if left:
        more = f"; and {len(left) - _TOLD_MAX} more" if len(left) > _TOLD_MAX else ""
        told = "; ".join(left[:_TOLD_MAX]) + more
        tasks, go = ("task", "goes") if len(left) == 1 else ("tasks", "go")
        warnings.warn(f"{len(left)} {tasks} could not be taken back, and {go} on: {told}", RuntimeWarning, stacklevel=3)
