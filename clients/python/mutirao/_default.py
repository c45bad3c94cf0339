"""`submit` and `map` for those who need no executor of their own."""

from __future__ import annotations

import threading
from typing import Any, Callable, Iterable, Iterator, ParamSpec, TypeVar, overload

from ._executor import Executor, Input
from ._future import TaskFuture
from ._pack import Row, StrPath
from ._result import Result

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()
_made: Executor | None = None


def _default() -> Executor:
    global _made
    with _lock:
        if _made is None:
            # It lives as long as the process; what nobody has waited for by then goes on at the master.
            _made = Executor()
        return _made


@overload
def submit(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[T]: ...


@overload
def submit(fn: StrPath, /, input: Input = None) -> TaskFuture[Result]: ...


def submit(fn: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`Executor.submit` of the executor that all share: a function with its arguments, or a script with its input."""
    return _default().submit(fn, *args, **kwargs)


@overload
def map(
    fn: Callable[..., T],
    /,
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int = 1,
    buffersize: int | None = None,
) -> Iterator[T]: ...


@overload
def map(
    fn: StrPath,
    rows: Iterable[Row],
    /,
    *,
    timeout: float | None = None,
    chunksize: int = 1,
    buffersize: int | None = None,
) -> Iterator[Result]: ...


def map(
    fn: Any,
    /,
    *iterables: Any,
    timeout: float | None = None,
    chunksize: int = 1,
    buffersize: int | None = None,
) -> Iterator[Any]:
    """`Executor.map` of the executor that all share: a function, or a script, for each row."""
    return _default().map(fn, *iterables, timeout=timeout, chunksize=chunksize, buffersize=buffersize)
