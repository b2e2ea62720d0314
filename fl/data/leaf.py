"""Data sets in the JSON of LEAF: FEMNIST, handwritten characters by their writers.

    {"users": [...], "user_data": {user: {"x": [[...], ...], "y": [...]}}}

in any number of files in `train/` and `test/`, which is what LEAF's preprocessing leaves. LEAF
publishes a program, not files: there is nothing to download.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fl.data.clients import ClientData, Features
from fl.errors import DataError

_WHERE = "LEAF's preprocess.sh makes it (github.com/TalwalkarLab/leaf, data/femnist)"
_PIXELS = 28 * 28


class _File(msgspec.Struct):
    users: list[str]
    user_data: dict[str, dict[str, Any]]


def femnist(data_dir: str | Path | None = None) -> tuple[ClientData, ClientData]:
    """(train, test) from `femnist/train/*.json` and `femnist/test/*.json` in `data_dir`.

    The folder `femnist` may be left out. x is float32[n, 28, 28], 1 is paper; y is int64[n].
    Raises DataError.
    """
    if data_dir is None:
        raise DataError(f"femnist cannot be downloaded: {_WHERE}; give its directory as data_dir")
    root = Path(data_dir)
    root = root / "femnist" if (root / "femnist").is_dir() else root
    return client_data(root / "train"), client_data(root / "test")


def client_data(folder: Path) -> ClientData:
    """The users of all .json files in a folder. Raises DataError."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise DataError(f"there is no .json file in {folder}: {_WHERE}")
    users: dict[str, Features] = {}
    for file in files:
        users.update(_users(file))
    return ClientData(sorted(users), users.__getitem__)


def _users(path: Path) -> dict[str, Features]:
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_File)
        return {user: _arrays(content.user_data[user]) for user in content.users}
    except (OSError, msgspec.MsgspecError, ValueError, KeyError) as error:
        raise DataError(f"{path} is damaged or something else ({error}): {_WHERE}") from error


def _arrays(user: dict[str, Any]) -> Features:
    x, y = np.asarray(user["x"], np.float32), np.asarray(user["y"], np.int64)
    if len(x) != len(y):
        raise ValueError(f"{len(x)} x and {len(y)} y, expected as many of both")
    return {"x": x.reshape(-1, 28, 28) if x.shape[1:] == (_PIXELS,) else x, "y": y}
