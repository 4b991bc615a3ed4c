"""Modes of the files and folders that the exchange makes and finds, under any umask."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossbook.common.process.private import close_files, close_folder, private_file, private_folder


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277], autouse=True)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """The permission bits of a path."""
    return path.stat().st_mode & 0o7777


def test_every_folder_made_is_the_owners_alone(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b" / "c")
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_folder(tmp_path)
    assert mode(tmp_path) == 0o755


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(FileExistsError):
        private_folder(tmp_path / "a")
    with pytest.raises(NotADirectoryError):
        private_folder(tmp_path / "a" / "b")


def test_a_file_is_the_owners_alone_whether_made_or_found(tmp_path: Path) -> None:
    os.close(private_file(tmp_path / "made", os.O_RDWR))
    (tmp_path / "found").write_text("kept")
    (tmp_path / "found").chmod(0o664)
    os.close(private_file(tmp_path / "found", os.O_RDWR))
    (tmp_path / "other").write_text("kept")
    (tmp_path / "other").chmod(0o644)
    close_files([tmp_path / "other", tmp_path / "none"])
    assert [mode(tmp_path / name) for name in ("made", "found", "other")] == [0o600] * 3
    assert (tmp_path / "found").read_text() == "kept"


def test_an_existing_folder_is_closed_only_if_it_is_ours_and_the_change_is_reported(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o1755)
    assert "keeps mode 1755, since it holds other things" in close_folder(tmp_path, ours=False)
    assert mode(tmp_path) == 0o1755
    assert "had mode 1755 and has 0700 now" in close_folder(tmp_path, ours=True)
    assert mode(tmp_path) == 0o700
    assert close_folder(tmp_path, ours=True) == close_folder(tmp_path, ours=False) == ""
