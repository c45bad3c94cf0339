"""Runs Python functions and scripts on the machines of a local network.

    import mutirao

    def square(number):
        return number * number

    if __name__ == "__main__":
        print(list(mutirao.map(square, range(100), chunksize=10)))

A master of `mutirao` must run somewhere in the network; it is found as its peers find it. `Executor` is a
`concurrent.futures.Executor`; `submit` and `map` of this module use one that is made when it is first needed.
"""

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
