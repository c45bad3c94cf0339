"""Runs Python functions and scripts on the machines of a local network.

    import mutirao

    def square(number):
        return number * number

    if __name__ == "__main__":
        print(list(mutirao.map(square, range(100), chunksize=10)))

A master of `mutirao` must run somewhere in the network; it is found as its peers find it. `Executor` is a
`concurrent.futures.Executor`; `submit` and `map` of this module use one that is made when it is first needed.
"""

# What type checkers take for true; `typing` itself would be loaded for it.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._default import map, submit
    from ._errors import (
        MutiraoError,
        NoMaster,
        Refused,
        RemoteError,
        RemoteTraceback,
        TaskCancelled,
        TaskFailed,
        Untrusted,
    )
    from ._executor import Executor
    from ._future import TaskFuture
    from ._result import Result

__all__ = [
    "Executor",
    "MutiraoError",
    "NoMaster",
    "Refused",
    "RemoteError",
    "RemoteTraceback",
    "Result",
    "TaskCancelled",
    "TaskFailed",
    "TaskFuture",
    "Untrusted",
    "map",
    "submit",
]

if not TYPE_CHECKING:
    # At a peer the package is imported for each task whose module imports it, and nothing of it is used: what is not asked
    # for is not loaded.
    _HOMES = {
        "Executor": "_executor",
        "Result": "_result",
        "TaskFuture": "_future",
        "map": "_default",
        "submit": "_default",
    }

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        home = import_module("." + _HOMES.get(name, "_errors"), __name__)
        value = globals()[name] = getattr(home, name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
