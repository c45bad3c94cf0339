"""`submit` and `map` for those who need no executor of their own."""

from __future__ import annotations

import threading
from typing import Any

from ._executor import Executor


class _Shared(Executor):
    """An executor that looks for its master when it is first used, and lives as long as the process.

    What nobody has waited for by then goes on at the master.
    """

    def __init__(self) -> None:
        self._finding = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        # Asked only for what is not there: nothing is before the master was found.
        with self._finding:
            if "_http" not in self.__dict__:
                super().__init__()
        return object.__getattribute__(self, name)


_shared = _Shared()

submit = _shared.submit
"""`Executor.submit` of the executor that all share: a function with its arguments, or a script with its input."""

map = _shared.map
"""`Executor.map` of the executor that all share: a function, or a script, for each row."""
