"""The files of a data set: found in a directory, or downloaded once and kept.

With `data_dir` nothing is downloaded. Without, Keras's own cache (`~/.keras/datasets`) is used, and
its progress bar; what comes must have the published checksum. A file that the user put into
`data_dir` may have another one, for it can be a faithful copy packed anew; where it cannot be read,
the error names both. This module does not know what is in a file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TypeVar
from zipfile import BadZipFile

from fl.data.sources import Source
from fl.errors import DataError

T = TypeVar("T")

# What the readers of the formats raise for a file that is not what it should be.
_UNREADABLE = (OSError, EOFError, KeyError, ValueError, TypeError, BadZipFile, zlib.error)
_CHUNK = 1 << 20


def read(source: Source, data_dir: str | Path | None, reader: Callable[[Path], T]) -> T:
    """What `reader` makes of the file. Raises DataError: missing, damaged, or of another layout."""
    path = locate(source, data_dir)
    try:
        return reader(path)
    except _UNREADABLE as error:
        raise DataError(_damaged(path, source, error)) from error


def present(sources: Sequence[Source], data_dir: str | Path | None) -> bool:
    """Whether the first of these files is in the directory (or in the cache)."""
    return _place(sources[0], data_dir) is not None


def locate(source: Source, data_dir: str | Path | None = None) -> Path:
    """Where the file is; it is downloaded if it may be. Raises DataError."""
    if data_dir is None and source.archive is None:
        return _download(source)
    path = _place(source, data_dir)
    if path is not None:
        return path
    if source.archive is None or (data_dir is not None and not _place(source.archive, data_dir)):
        raise DataError(_missing(source, Path(data_dir or ".")))
    return _unpack(source, locate(source.archive, data_dir))


def checksum(path: Path, published: str | None) -> str:
    """The file's checksum, of the published one's kind (SHA-256 where there is none)."""
    kind = "md5" if published is not None and len(published) == 32 else "sha256"
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _place(source: Source, data_dir: str | Path | None) -> Path | None:
    path = (_cache() if data_dir is None else Path(data_dir)) / source.name
    unpacked = path.with_suffix("")  # train-images-idx3-ubyte.gz, unpacked by hand
    found = [p for p in (path, unpacked) if p.is_file() and (p == path or path.suffix == ".gz")]
    return found[0] if found else None


def _cache() -> Path:
    """Where Keras keeps data sets."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"


def _download(source: Source) -> Path:
    """Keras's own download: a file that is there with the right checksum is not fetched again."""
    import keras

    target = _cache() / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        return Path(
            keras.utils.get_file(
                target.name,
                origin=source.url,
                file_hash=source.checksum,
                cache_dir=str(target.parent),
                cache_subdir="",
            )
        )
    except Exception as error:
        # Keras raises Exception itself where the address does not answer.
        if type(error) is not Exception and not isinstance(error, OSError | ValueError):
            raise
        raise DataError(
            f"{target.name} cannot be downloaded ({' '.join(str(error).split())}): "
            f"put it into a directory and give that, as cache_dir to load_data or as data_dir to "
            f"fl.data.load; {_published(source)}"
        ) from error


def _unpack(source: Source, archive: Path) -> Path:
    """Unpack one member beside the archive; half a file is never left under its name."""
    target = archive.parent / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            member = _member(tar, target.name)
            with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
                shutil.copyfileobj(member, file, _CHUNK)
        os.replace(file.name, target)
    except (OSError, EOFError, KeyError, tarfile.TarError, zlib.error) as error:
        raise DataError(_damaged(archive, source.archive or source, error)) from error
    return target


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    for member in tar:
        if Path(member.name).name == name and member.isfile():
            file = tar.extractfile(member)
            if file is not None:
                return file
    raise KeyError(f"no {name} in it")


def _missing(source: Source, data_dir: Path) -> str:
    return f"there is no {source.name} in {data_dir}: {_published(source)}"


def _damaged(path: Path, source: Source, error: BaseException) -> str:
    why = " ".join(str(error).split()) or type(error).__name__
    seen = checksum(path, source.checksum) if path.is_file() else "not there"
    return (
        f"{path} is damaged or something else ({why}); its checksum is {seen}: {_published(source)}"
    )


def _published(source: Source) -> str:
    origin = source.archive or source
    packed = f"in {origin.name} " if source.archive else ""
    summed = f", checksum {origin.checksum}" if origin.checksum else ""
    return f"it is published {packed}at {origin.url}{summed}"
