"""Takes values from peers without giving them this machine.

Rule: a pickle can name any function, and whoever reads it calls that. A peer is somebody else's machine, so only plain values,
classes of the user's own modules, and what is trusted by name are made here.
"""

from __future__ import annotations

import builtins
import importlib
import io
import pickle
import sys
from typing import Any, Sequence

from ._code import MAIN, is_own
from ._errors import Untrusted

_PLAIN = {
    "builtins": {"bytearray", "complex", "frozenset", "range", "set", "slice"},
    "collections": {"Counter", "OrderedDict", "defaultdict", "deque"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "uuid": {"UUID"},
}
"""Classes that do nothing but hold a value."""


class _Reader(pickle.Unpickler):
    def __init__(self, data: bytes, trusted: Sequence[str]) -> None:
        super().__init__(io.BytesIO(data))
        self._trusted = trusted

    def find_class(self, module: str, name: str) -> Any:
        module = "__main__" if module == MAIN else module
        if name in _PLAIN.get(module, ()):
            return getattr(importlib.import_module(module), name)
        if any(module == trusted or module.startswith(f"{trusted}.") for trusted in self._trusted):
            return super().find_class(module, name)
        found = _class_of(module, name)
        if found is None:
            raise Untrusted(
                f"a peer answered with {module}.{name}, which is not taken from peers; "
                f"if you trust them, name its module: Executor(trust=[{module.partition('.')[0]!r}])"
            )
        return found


def _class_of(module: str, name: str) -> type | None:
    """A class of the user's own, or an exception of Python; never one that such a module has from elsewhere."""
    if module == "builtins":
        found = getattr(builtins, name, None)
        return found if isinstance(found, type) and issubclass(found, BaseException) else None
    found = getattr(sys.modules.get(module), name, None)
    if not isinstance(found, type) or found.__module__ != module or not is_own(module):
        return None
    return found


def read(data: bytes, trusted: Sequence[str] = ()) -> Any:
    """The value.

    Raises `Untrusted` if it is not one that is taken from peers, or is none at all.
    """
    try:
        return _Reader(data, trusted).load()
    except Untrusted:
        raise
    except Exception as error:  # What was sent may fail in any way.
        raise Untrusted(f"a peer answered with what cannot be read: {error!r}") from error
