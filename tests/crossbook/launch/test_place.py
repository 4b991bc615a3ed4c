"""The folders of temporary exchanges."""

import tempfile

import pytest

from crossbook.launch.place import temporary_folder


@pytest.mark.parametrize(("folder", "used"), [("/short", "/short"), ("/long" * 14, "/tmp")])
def test_a_folder_too_long_for_sockets_is_replaced_by_a_shorter_one(
    folder: str, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", folder)
    assert temporary_folder() == used
