"""Makes the ZIP of a task."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import os
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence, Union

from . import _code

Row = Union[Mapping[str, object], Sequence[object]]
"""A row of a table: its values by the names of the columns, or in their order."""
StrPath = Union[str, "os.PathLike[str]"]

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The same contents are the same bytes, whenever they are packed."""
_SKIPPED = {"__pycache__", ".git", ".mutirao"}
"""What no folder sends along."""


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of these."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), files[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def call(
    function: Callable[..., Any],
    calls: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]],
    beside: Mapping[str, bytes],
) -> bytes:
    """A task that calls a function."""
    pickled = _code.pickled((function, [(args, dict(kwargs)) for args, kwargs in calls]), function)
    code = _code.files_for(pickled, function)
    files = dict(beside)
    # Peers prepare for tasks with the same main.py by what these import, and that is a matter of the code that is called.
    files["main.py"] = _remote() + f"\n# It runs the code {_digest(code)}.\n".encode()
    files["calls.pickle"] = pickled
    for name, text in code.items():
        files[f"code/{name}"] = text
    return zipped(files)


@functools.cache
def _remote() -> bytes:
    return resources.files(__package__).joinpath("_remote.py").read_bytes()


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def script(what: StrPath, given: bytes | None, beside: Mapping[str, bytes]) -> bytes:
    """A task that runs a script, a folder with a `main.py`, or a ZIP as it is."""
    path = Path(what)
    if path.suffix.lower() == ".zip":
        if given is not None or beside:
            raise ValueError(f"{path} is a ZIP: its input and its files belong into it")
        return path.read_bytes()
    files = dict(beside)
    if path.is_dir():
        files.update(files_below(path))
        if "main.py" not in files:
            raise FileNotFoundError(f"{path} holds no main.py")
    else:
        files["main.py"] = path.read_bytes()
    if given is not None:
        files["input.csv"] = given
    return zipped(files)


def files_below(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their paths within it; hidden ones stay here."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part in _SKIPPED or part.startswith(".") for part in parts):
            found["/".join(parts)] = path.read_bytes()
    return found


def named(paths: Iterable[StrPath]) -> dict[str, bytes]:
    """Files and folders that go along, each under its own name."""
    found: dict[str, bytes] = {}
    for given in paths:
        path = Path(given)
        if path.is_dir():
            found.update({f"{path.name}/{name}": data for name, data in files_below(path).items()})
        else:
            found[path.name] = path.read_bytes()
    return found


def table(rows: Sequence[Row]) -> bytes:
    """Rows as `input.csv`; of mappings the header is the keys of the first."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    header: list[str] | None = None
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            if isinstance(row, (str, bytes)):
                raise TypeError(f"row {number} is a text: a row is a mapping or a sequence of its values")
            writer.writerow(row)
            continue
        if header is None:
            header = list(row)
            writer.writerow(header)
        if set(row) != set(header):
            raise ValueError(f"row {number} has the columns {sorted(row)}, the first one {sorted(header)}")
        writer.writerow([row[name] for name in header])
    return text.getvalue().encode()
