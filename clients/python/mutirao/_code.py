"""Which code travels with a function: the modules of the user's own that are loaded."""

from __future__ import annotations

import functools
import inspect
import io
import pickle
import sys
import sysconfig
import textwrap
from pathlib import Path
from typing import Any, Callable

MAIN = "__mutirao_main__"
"""What the module that was started is called at a peer, where the task's own `main.py` is started."""
_CODE_MAX = 16 << 20
"""Most bytes of code that travel with each task, unpacked: more is a folder that was taken by mistake."""

_PLACES_MAX = 16_384
"""Modules of which it is remembered where they lie: each is asked with every task, and few programs load more."""

_BUNDLED = tuple(
    Path(place).resolve()
    for key in ("stdlib", "platstdlib", "purelib", "platlib")
    if (place := sysconfig.get_paths().get(key))
)
"""Where the modules lie that a peer has too, or cannot be sent."""


class NotSendable(TypeError):
    """Something cannot travel to a peer."""


def pickled(call: Any, function: Callable[..., Any]) -> bytes:
    """A call in bytes. The function travels by its name, as with processes of one machine."""
    try:
        buffer = io.BytesIO()
        # The oldest that today's versions of Python share, for a peer may have another.
        pickle.Pickler(buffer, protocol=4).dump(call)
    except Exception as error:  # Objects may refuse in any way.
        raise NotSendable(
            f"{_named(function)} cannot be sent with its arguments: {error}; "
            "a function must stand at the top of a module (no lambda, none within a function), and its arguments be picklable"
        ) from error
    return buffer.getvalue()


def _named(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))


def files_for(call: bytes, function: Callable[..., Any]) -> dict[str, bytes]:
    """The modules of the user's own, and this package, which they import, by the paths under which they are imported."""
    files = dict(_package())
    for name, module in list(sys.modules.items()):
        path = _source(module)
        if path is not None and name != "__main__" and is_own(name):
            is_package = path.name == "__init__.py"
            stem = name.replace(".", "/")
            files[f"{stem}/__init__.py" if is_package else f"{stem}.py"] = path.read_bytes()
    if b"__main__" in call:
        files[f"{MAIN}.py"] = _main(function)
    total = sum(map(len, files.values()))
    if total > _CODE_MAX:
        largest = max(files, key=lambda name: len(files[name]))
        raise NotSendable(
            f"your loaded modules have {total >> 20} MiB, and {_CODE_MAX >> 20} MiB of code travel with a task; "
            f"the largest is {largest}"
        )
    return files


@functools.cache
def _package() -> dict[str, bytes]:
    """All of this package, of which only what was used is loaded."""
    folder = Path(__file__).parent
    return {f"{folder.name}/{path.name}": path.read_bytes() for path in folder.glob("*.py")}


def _main(function: Callable[..., Any]) -> bytes:
    """The source of what was started; in a notebook that of the function alone."""
    path = _source(sys.modules["__main__"])
    if path is not None:
        return path.read_bytes()
    while isinstance(function, functools.partial):
        function = function.func
    try:
        return textwrap.dedent(inspect.getsource(function)).encode()
    except (OSError, TypeError) as error:
        raise NotSendable(f"the source of {_named(function)} is not known: write it into a file") from error


def _source(module: object) -> Path | None:
    name = getattr(module, "__file__", None)
    return _resolved(name) if isinstance(name, str) and name.endswith(".py") else None


@functools.lru_cache(_PLACES_MAX)
def _resolved(name: str) -> Path | None:
    path = Path(name)
    return path.resolve() if path.is_file() else None


@functools.lru_cache(_PLACES_MAX)
def _is_installed(path: Path) -> bool:
    """Whether a peer has it too, or it cannot be sent."""
    is_package = not {"site-packages", "dist-packages"}.isdisjoint(path.parts)
    return is_package or any(place in path.parents for place in _BUNDLED)


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == "mutirao"


def is_own(name: str) -> bool:
    """Whether this is a loaded module of the user's: neither of Python's, nor installed, nor ours."""
    module = sys.modules.get(name)
    if module is None or _is_ours(name):
        return False
    if name == "__main__":
        return True
    path = _source(module)
    return path is not None and not _is_installed(path)
