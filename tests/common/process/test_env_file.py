"""Names in `.env` and the environment that are no settings, and the reports about them."""

from pathlib import Path

import pytest

from crossbook.common.errors import ConfigError
from crossbook.common.process.env_file import Names, read_names

KNOWN = frozenset(
    {"AUTH", "ACCOUNT", "ACCOUNTS", "API_PORT", "DATA_DIR", "JOURNAL_SYNC", "LOG_FORMAT"}
)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KNOWN, "ACOUNTS"):
        monkeypatch.delenv(name, raising=False)


def names_of(tmp_path: Path, content: str | bytes) -> Names:
    """The names in a file of this content."""
    path = tmp_path / ".env"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_names(KNOWN, path)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("ACOUNTS", "ACCOUNTS"), ("API_PRT", "API_PORT"), ("APIPORT", "API_PORT"),
     ("JOURNAL_FSYNC", "JOURNAL_SYNC"), ("DATADIR", "DATA_DIR"), ("data_dirs", "DATA_DIR"),
     ("CROSSBOOK_DATA_DIR", "DATA_DIR"), ("LOG_FROMAT", "LOG_FORMAT"),
     ("ATUH", "AUTH"), ("AUHT", "AUTH"), ("auth_", "AUTH"), ("AUT", "AUTH")],
)  # fmt: skip
def test_a_misspelt_setting_is_a_fault_naming_the_nearest(
    tmp_path: Path, name: str, meant: str
) -> None:
    found = names_of(tmp_path, f"# comment\n\n{name}=x\n")
    (fault,) = found.faults
    assert fault.endswith(f"set {meant} as well if {name.upper()} belongs to another program")
    assert f": line 3: {name.upper()} is no setting; {meant} is" in fault


def test_a_name_like_a_setting_stands_beside_that_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = names_of(tmp_path, "APP_PORT=3000\nAPI_PORT=8000\n")
    assert not found.faults
    assert found.remarks == [f"{tmp_path}/.env: line 1: APP_PORT is no setting (API_PORT is): "
                             "ignored"]  # fmt: skip
    assert names_of(tmp_path, "APP_PORT=3000\n").faults
    monkeypatch.setenv("API_PORT", "8000")
    assert not names_of(tmp_path, "APP_PORT=3000\n").faults


def test_names_of_other_tools_are_reported_and_those_of_compose_are_not(tmp_path: Path) -> None:
    text = "COMPOSE_PROJECT_NAME=x\nDOCKER_HOST=y\nPOSTGRES_PASSWORD=z\nTAG=\nPLAIN\nPATH=a\n"
    found = names_of(tmp_path, text)
    assert not found.faults + found.remarks
    assert [line.split()[3] for line in found.unknown] == ["POSTGRES_PASSWORD", "TAG", "PLAIN",
                                                             "PATH"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("API_PORT=1\n\nAPI_PORT=2\n", "line 3: API_PORT is set in line 1 already"),
        ("API_PORT=1\napi_port=1\n", "line 2: API_PORT is set in line 1 already"),
        ("ACCOUNT=1\nAPI_PORT\n", "line 2: API_PORT has no =VALUE"),
        ("ACCOUNT=1\n\nAPI_PORT 8000\n", "line 3 is not NAME=VALUE"),
        ("=1\n", "line 1 is not NAME=VALUE"),
        ('DATA_DIR="never closed\n', "line 1 is not NAME=VALUE"),
        ("MATCHER_BUILD=pure\n", "line 1: MATCHER_BUILD is read from the environment only"),
    ],
)
def test_a_line_that_would_be_passed_over_is_a_fault(
    tmp_path: Path, text: str, printed: str
) -> None:
    assert names_of(tmp_path, text).faults == [f"{tmp_path}/.env: {printed}"]


def test_a_misspelt_variable_of_the_environment_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACOUNTS", "off")
    found = read_names(KNOWN, tmp_path / "none")
    assert "ACOUNTS of the environment is no setting (ACCOUNTS is): ignored" in found.remarks
    assert not found.faults
    monkeypatch.setenv("ACCOUNTS", "on")
    assert not [line for line in read_names(KNOWN, tmp_path / "none").remarks if "ACOUNTS" in line]


def test_one_name_in_two_cases_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "1")
    monkeypatch.setenv("api_port", "2")
    assert read_names(KNOWN, tmp_path / "none").faults == [
        "API_PORT is in the environment in upper and lower case"
    ]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"API_PORT=1\n# \xe9t\xe9\n", "line 2, byte 3: 0xe9"),
        ("API_PORT=1\n".encode("utf-16"), "line 1, byte 1: 0xff"),
        (b"A=\xc3", "line 1, byte 3: 0xc3"),
    ],
)
def test_a_file_that_is_not_utf8_is_refused_in_one_line(
    tmp_path: Path, content: bytes, place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        names_of(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path}/.env: {place} is not UTF-8")
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert names_of(tmp_path, "\ufeffAPI_PORT=1\n").values["API_PORT"] == "1"


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert not read_names(KNOWN, tmp_path).unknown
    assert not read_names(KNOWN, tmp_path / "none").values
