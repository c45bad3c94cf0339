"""What can go wrong, each with its reason in words."""

from __future__ import annotations


class MutiraoError(Exception):
    """Anything that this package says went wrong."""


class NoMaster(MutiraoError):
    """No master answered, or the one that did is gone."""


class Refused(MutiraoError):
    """The master will not do what was asked, and says why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        """The status of the HTTP response."""


class TaskFailed(MutiraoError):
    """A task failed for good."""

    def __init__(self, task: str, name: str, reason: str, stderr: str = "") -> None:
        told = f"{name} failed: {reason}"
        super().__init__(f"{told}\n{stderr}" if stderr else told)
        self.task = task
        """Its id."""
        self.reason = reason
        """Why, in one line."""
        self.stderr = stderr
        """The end of what its last try printed as errors."""


class TaskCancelled(MutiraoError):
    """A task was taken back at the master: by a person, or because another one failed."""

    def __init__(self, task: str, name: str, reason: str) -> None:
        super().__init__(f"{name} was cancelled: {reason}")
        self.task = task
        """Its id."""
        self.reason = reason
        """Why, in one line."""


class RemoteError(MutiraoError):
    """A function raised what cannot be made here; this tells of it in words."""


class RemoteTraceback(Exception):
    """Where on the peer an exception was raised: the cause of the exception that is raised here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}" if self.args else ""


class Untrusted(MutiraoError):
    """A peer answered with an object of a kind that is not taken from peers."""
