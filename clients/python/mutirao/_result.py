"""What a task left."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any, Union


class Result:
    """What a script printed and made."""

    def __init__(self, task: str, name: str, archive: bytes) -> None:
        self.task = task
        """The id of the task."""
        self.name = name
        """Its name."""
        self.archive = archive
        """The ZIP, as the peer handed it in."""
        self._zip = zipfile.ZipFile(io.BytesIO(archive))

    def __repr__(self) -> str:
        return f"<Result of {self.name}: {', '.join(self.files)}>"

    @property
    def files(self) -> list[str]:
        """The names of what is in it: `stdout.txt`, `stderr.txt`, `result.json`, and what the script made."""
        return [name for name in self._zip.namelist() if not name.endswith("/")]

    def read(self, name: str) -> bytes:
        """One file of it."""
        return self._zip.read(name)

    @property
    def stdout(self) -> str:
        """What was printed."""
        return self.read("stdout.txt").decode(errors="replace")

    @property
    def stderr(self) -> str:
        """What was printed as errors."""
        return self.read("stderr.txt").decode(errors="replace")

    @property
    def report(self) -> dict[str, Any]:
        """`result.json`: exit code, times, memory, peer and interpreter; empty from a peer of another program."""
        if "result.json" not in self.files:
            return {}
        report: dict[str, Any] = json.loads(self.read("result.json"))
        return report

    def rows(self, name: str = "output.csv") -> list[dict[str, str]]:
        """The rows of a table that the script made."""
        text = io.StringIO(self.read(name).decode("utf-8-sig"), newline="")
        return list(csv.DictReader(text))

    def save(self, folder: Union[str, "os.PathLike[str]"]) -> Path:
        """Unpacks all of it into a folder, which is made when missing."""
        # It leaves out what would lie outside of the folder.
        self._zip.extractall(folder)
        return Path(folder)
