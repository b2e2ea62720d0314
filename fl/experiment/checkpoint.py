"""Checkpoints: the state after a round in one file, written whole or not at all.

    file = npz of (the state's structure as JSON, its arrays, SHA-256 over all of it)

A file appears under its name only when all of it is on the disk. One that is damaged nevertheless
is noticed by its digest, and the one before it is used. Nothing is ever unpickled: reading a
checkpoint runs no code. This module does not know what a state means.

>>> process = fl.build_weighted_fed_avg(model_fn)
>>> checkpoints = fl.experiment.Checkpoints(tmp_path / "checkpoints")
>>> path = checkpoints.save(process.initialize(), 0)
>>> checkpoints.latest(process.initialize()).state
ServerState(round=0, ...)
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import IO, Any, Generic, NamedTuple, TypeVar, cast
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from fl.errors import CheckpointError, DamagedCheckpoints

Arrays = Mapping[str, NDArray[Any]]
State = TypeVar("State")
Json = dict[str, Any] | int | float | str | None

PART = ".part-"  # files that were being written when the process was killed
_LABEL = b"fl/checkpoint/v1"
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile, zlib.error)


class Found(NamedTuple, Generic[State]):
    """A checkpoint that was read, and the newer ones that were damaged."""

    state: State
    round: int
    damaged: tuple[str, ...]


class Checkpoints:
    """The checkpoints of one run, in a folder of their own; the last `keep` of them stay."""

    def __init__(self, folder: str | Path, keep: int = 3) -> None:
        if keep < 1:
            raise CheckpointError(f"keep is {keep}, expected at least 1")
        self._folder = Path(folder)
        self._keep = keep

    def __repr__(self) -> str:
        return f"Checkpoints({str(self._folder)!r}, keep={self._keep})"

    def save(self, state: object, round_number: int) -> Path:
        """Write the state after a round, then remove what is older than the last `keep`.

        state: dataclasses, tuples, lists, dicts, arrays, numbers, strings, None in any nesting.
        Raises CheckpointError for a state of something else, and where nothing can be written.
        """
        path = self._folder / f"round-{round_number:08}.npz"
        arrays: dict[str, NDArray[Any]] = {}
        structure = json.dumps(_encode(state, arrays))
        content = {"structure": np.frombuffer(structure.encode(), np.uint8), **arrays}
        digest = np.frombuffer(_digest(content), np.uint8)
        with explained("checkpoint", path):
            self._folder.mkdir(parents=True, exist_ok=True)
            for unfinished in self._folder.glob(f"{PART}*"):
                unfinished.unlink()
            write_atomically(path, lambda file: np.savez(file, digest=digest, **content))  # type: ignore[arg-type]
            for old in self._paths()[: -self._keep]:
                old.unlink()
        return path

    def latest(self, template: State) -> Found[State] | None:
        """The newest checkpoint that is whole, as a state with the types of `template`.

        None where there is none at all. Raises DamagedCheckpoints where all are damaged,
        CheckpointError where the newest that is whole is of another algorithm, or of a model whose
        arrays have other shapes. A model that differs in what is no array, such as its activations,
        is not told apart: keep a folder for each.
        """
        damaged: list[str] = []
        for path in reversed(self._paths()):
            try:
                structure, arrays = _read(path)
            except _UNREADABLE:
                damaged.append(path.name)
                continue
            state = cast(State, _decode(structure, template, arrays))
            return Found(state, int(path.stem.partition("-")[2]), tuple(damaged))
        if damaged:
            raise DamagedCheckpoints(
                f"every checkpoint in {self._folder} is damaged ({', '.join(damaged)}), expected "
                "a whole one. Put one back from a copy, or remove the folder to begin anew"
            )
        return None

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("round-*.npz"))


@contextmanager
def explained(what: str, path: Path) -> Iterator[None]:
    """CheckpointError in place of the OSError that reading or writing this raises."""
    try:
        yield
    except OSError as error:
        file = Path(error.filename or path)
        where = "" if file == path else f" ({file.name.removeprefix(PART)})"
        raise CheckpointError(
            f"{what} {path} cannot be written: {error.strerror or error}{where}, "
            "expected a directory with room that may be written"
        ) from error


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file that is either there in full or not there, whatever happens in between."""
    part = path.with_name(f"{PART}{path.name}")
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """The name is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> tuple[object, Arrays]:
    with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
        content = {name: file[name] for name in file.files}
    if content.pop("digest").tobytes() != _digest(content):
        raise ValueError(f"{path.name} does not have the digest that was written")
    return json.loads(content.pop("structure").tobytes()), content


def _digest(content: Arrays) -> bytes:
    digest = hashlib.sha256(_LABEL)
    for name, array in sorted(content.items()):
        head = json.dumps([name, array.dtype.str, array.shape]).encode()
        digest.update(len(head).to_bytes(8, "little") + head)
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def _encode(value: object, arrays: dict[str, NDArray[Any]]) -> Json:
    """The structure as JSON; arrays go into `arrays`, and their names into the structure."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"fields": {f.name: _encode(getattr(value, f.name), arrays) for f in fields(value)}}
    if isinstance(value, tuple | list):
        return {"items": [_encode(item, arrays) for item in value]}
    if isinstance(value, dict):
        return {"entries": {key: _encode(item, arrays) for key, item in value.items()}}
    if isinstance(value, np.ndarray | np.generic):
        name = f"array_{len(arrays)}"
        array = np.asarray(value)
        # Of dtypes that are not its own, such as bfloat16, numpy writes the bytes and no more.
        own = array.dtype.kind != "V"
        arrays[name] = array if own else array.view(f"u{array.itemsize}")
        return {"array": name, "dtype": array.dtype.name}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise CheckpointError(
        f"a state with a {type(value).__name__} in it, expected dataclasses, tuples, lists, "
        "dicts, arrays, numbers, strings and None"
    )


def _decode(structure: object, like: object, arrays: Arrays) -> object:
    """The value of a structure; `like` gives the types that JSON does not know."""
    match structure:
        case {"fields": parts}:
            if (
                not is_dataclass(like)
                or isinstance(like, type)
                or set(parts) != {f.name for f in fields(like)}
            ):
                raise CheckpointError(
                    f"a checkpoint of {sorted(parts)}, expected one of this algorithm"
                )
            made = {name: _decode(parts[name], getattr(like, name), arrays) for name in parts}
            return type(like)(**made)
        case {"items": items}:
            return _sequence(items, like, arrays)
        case {"entries": entries}:
            known = like if isinstance(like, dict) else {}
            return {key: _decode(e, known.get(key), arrays) for key, e in entries.items()}
        case {"array": name, "dtype": dtype}:
            array = arrays[name]
            if isinstance(like, np.ndarray) and array.shape != like.shape:
                raise _another_model(f"an array of shape {array.shape}", f"{like.shape}")
            return array.view(np.asarray(like).dtype) if array.dtype.name != dtype else array
    return structure


def _another_model(seen: str, expected: str) -> CheckpointError:
    return CheckpointError(
        f"a checkpoint with {seen}, expected {expected}: one of this model and algorithm"
    )


def _sequence(items: list[object], like: object, arrays: Arrays) -> object:
    known = list(like) if isinstance(like, tuple | list) else []
    # What is empty at the start may have something later: the state of an aggregator.
    if known and len(items) != len(known):
        raise _another_model(f"{len(items)} items in one place", f"{len(known)}")
    known += [None] * (len(items) - len(known))
    values = [_decode(item, known[i], arrays) for i, item in enumerate(items)]
    if isinstance(like, tuple) and hasattr(like, "_fields"):
        named: Callable[..., object] = type(like)
        return named(*values)
    return values if isinstance(like, list) else tuple(values)
