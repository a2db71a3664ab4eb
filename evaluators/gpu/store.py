"""Files of tables: arrays and one text of JSON, without pickle.  Where they lie, how they are read and written."""

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

import workloads
from evaluators.gpu.bench import Device
from evaluators.gpu.table import ARRAYS, FORMAT, Provenance, Repeatability, Table, TableError

VARIABLE = "EVOLVE_GPU_TABLE"
"""Names the file of the table to use, before all others."""

LONGEST_TEXT = 200
MOST_BYTES = 64 << 20
"""Of a file's parts, unpacked: far more than any table has."""


def save(table: Table, file: Path) -> None:
    """Writes a table; the file is there whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = np.frombuffer(table.metadata.encode(), np.uint8)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".table-")
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as writing:
            np.savez_compressed(writing, metadata=text, **{name: getattr(table, name) for name in ARRAYS})
            writing.flush()
            os.fsync(writing.fileno())
        new.chmod(0o644)  # a temporary file is its owner's alone
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def insist_on_place(file: Path, problem: str) -> None:
    """Refuses a place for a table before anything is measured: what lies there must be one, or nothing.

    Raises:
        TableError: something else is there, be it a link, or its folder cannot be written to.
    """
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise TableError(f"{file} is no plain file, and a table would take its place; name another one")
    if file.exists():
        try:
            load(file, problem)
        except TableError as error:
            raise TableError(
                f"something else than a table of {problem} would be lost; name another file ({error})"
            ) from None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TableError(f"{file.parent} cannot be made: {error.strerror}; name another file") from None
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise TableError(f"{file.parent} cannot be written to; name a file elsewhere")


def load(file: Path, problem: str) -> Table:
    """Returns the table in a file.

    Raises:
        TableError: it cannot be read, is of another problem or version, or holds what no measurement gives.
    """
    try:
        return _table(_parts(file), problem)
    except TableError as error:
        raise TableError(f"{file}: {error}") from None
    except OSError as error:
        raise TableError(f"{file}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # noqa: BLE001 - a stranger's file can make each library in between raise anything
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise TableError(f"{file}: holds no whole table ({said}); record it again") from None


def find(problem: str) -> Path | None:
    """Returns the file of the table to use: the one that a variable names, the user's newest, or the package's.

    Raises:
        TableError: the variable names no file, or none of the files of that name holds a table.
    """
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_file():
            raise TableError(f"{VARIABLE} names {named}, which is no file; unset it or name a recorded table")
        return Path(named)
    for folder in (user_folder(), Path(workloads.__path__[0]) / "gpu_tables"):
        if files := [file for file in sorted(folder.glob(f"{problem}-*.npz")) if file.is_file()]:
            return _newest(files, problem)
    return None


def _newest(files: Sequence[Path], problem: str) -> Path:
    """Returns the newest recording; a file that holds no table hides the others no more than it must."""
    recorded: dict[Path, str] = {}
    broken: list[TableError] = []
    for file in files:
        try:
            recorded[file] = load(file, problem).provenance.recorded
        except TableError as error:
            broken.append(error)
    if not recorded:
        raise broken[0]
    return max(recorded, key=lambda file: recorded[file])


def user_folder() -> Path:
    """Returns where the user's recordings lie."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "evolve" / "gpu_tables"


def file_name(problem: str, device: Device) -> str:
    """Returns what the file of a recording is called."""
    return f"{problem}-{re.sub(r'[^a-z0-9]+', '_', device.name.lower()).strip('_')}.npz"


def _parts(file: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as packed:
        if sum(part.file_size for part in packed.infolist()) > MOST_BYTES:
            raise TableError(f"unpacks to more than {MOST_BYTES >> 20} MiB, which no table has")
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays.items())


def _table(parts: Mapping[str, np.ndarray], problem: str) -> Table:
    about = json.loads(parts["metadata"].tobytes().decode())
    if about["format"] != FORMAT:
        raise TableError(f"is of format {about['format']}, and this version reads {FORMAT}: record it again")
    if about["problem"] != problem:
        raise TableError(f"is of the problem {about['problem']!r}; expected {problem!r}")
    for name, kind in ARRAYS.items():
        if parts[name].dtype != kind:
            raise TableError(f"{name} is of {parts[name].dtype}; expected {np.dtype(kind)}")
    return Table(
        provenance=_provenance(about),
        shapes=_whole_numbers(about["shapes"]),
        configurations=_whole_numbers(about["configurations"]),
        reasons=tuple(str(reason)[:LONGEST_TEXT] for reason in about["reasons"]),
        repeatability=Repeatability(**about["repeatability"]),
        **{name: parts[name] for name in ARRAYS},
    )


def _provenance(about: Mapping[str, Any]) -> Provenance:
    device = Device(**about["device"])
    for field in fields(Device):
        value = getattr(device, field.name)
        if type(value) is not field.type and not (field.type is float and type(value) is int):
            raise TableError(
                f"{field.name} of its device is {value!r}; expected {getattr(field.type, '__name__', field.type)}"
            )
        if not (value.isprintable() and len(value) < LONGEST_TEXT if isinstance(value, str) else 0 < value < 1 << 60):
            raise TableError(f"{field.name} of its device is out of range")
    texts = {name: str(about[name]) for name in ("problem", "kernel", "engine", "recorded")}
    return Provenance(device=device, columns=tuple(about["columns"]), knobs=tuple(about["knobs"]), **texts)


def _whole_numbers(rows: list[list[int]]) -> tuple[tuple[int, ...], ...]:
    if any(type(value) is not int for row in rows for value in row):
        raise TableError("shapes and configurations are whole numbers")
    return tuple(map(tuple, rows))
