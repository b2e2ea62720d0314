"""What a node keeps survives its process, and is answered from once."""

import os
import stat

import pytest

from fl.errors import FLError
from fl.flower.folder import NodeFolder

ONE, OTHER = b"1" * 16, b"2" * 16


@pytest.fixture
def folder(tmp_path):
    folder = NodeFolder(tmp_path / "state")
    folder.begin(ONE, b"digest", b"begun")
    return folder


def test_only_its_owner_can_read_it(folder):
    folder.store(ONE).write(b"blob", 1)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.path.chmod(0o750)
    with pytest.raises(FLError, match="mode 0750"):
        NodeFolder(folder.path)


def test_generations_only_go_up_and_outlive_the_session(folder):
    write = folder.store(ONE).write
    write(b"a", 1)
    write(b"b", 17)
    assert (folder.blob(ONE), folder.generation(ONE)) == (b"b", 17)
    for old in (17, 16, 1):
        with pytest.raises(FLError, match=f"generation {old}, expected one above 17"):
            write(b"c", old)
    folder.begin(OTHER, b"digest", b"begun")
    assert folder.blob(ONE) is None
    assert folder.generation(ONE) == 17
    with pytest.raises(FLError):
        write(b"d", 1)


def test_what_was_answered_is_counted_for_good(folder):
    folder.begin(OTHER, b"digest", b"begun")
    again = NodeFolder(folder.path)
    assert again.sessions == 2
    assert again.answered(b"digest") == 2
    assert again.answered(b"diges") == 0
    assert again.begun(ONE) == b"begun"
    assert again.begun(bytes(16)) is None


@pytest.mark.parametrize("moment", ["blob", "generation"])
def test_a_crash_in_between_leaves_the_one_before(folder, moment, monkeypatch):
    """The power goes before the file of that name has its name."""
    folder.store(ONE).write(b"before", 1)
    replace = os.replace

    def gone(source, target):
        if moment in str(target):
            raise OSError("no power")
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", gone)
        with pytest.raises(OSError, match="no power"):
            folder.store(ONE).write(b"after", 2)
    assert folder.blob(ONE) == b"before"
    folder.store(ONE).write(b"restored", 17)
    assert folder.blob(ONE) == b"restored"
    assert len(list(folder.path.glob("sessions/*/*.blob"))) == 1
