"""The build of the engine that runs, the reasons to refuse a compiled one, and equal behaviour of
both."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from crossbook.common.process.programs import MODULES, VERIFY
from crossbook.matcher import build
from crossbook.matcher.build import ROOT, Manifest, why_not_compiled
from crossbook.matcher.engine import book, engine, order
from crossbook.matcher.engine.matching import fee
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.recovery.verify import verify
from tests.golden.make import make
from tools import compile as compiling
from tools.lower import lowered

OTHER = {"pure": "compiled", "compiled": "pure"}[build.running()]


def run(build: str, *words: str, expect: int = 0) -> str:
    """The output of a Python process with a build of the engine."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "MATCHER_BUILD": build},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == expect, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A source tree of one file with a compiled build of it."""
    (tmp_path / "matcher" / "engine").mkdir(parents=True)
    (tmp_path / "matcher" / "engine" / "book.py").write_text("x = 1\n")
    build.compiled_directory(tmp_path).mkdir(parents=True)
    write_manifest(tmp_path, build.platform())
    return tmp_path


def write_manifest(root: Path, platform: str) -> None:
    manifest = Manifest(platform, build.digests(root, ["matcher/engine/book.py"]))
    path = build.compiled_directory(root) / "manifest.json"
    path.write_bytes(msgspec.json.encode(manifest))


def test_the_build_of_the_setting_is_the_one_that_runs() -> None:
    wanted = os.environ.get("MATCHER_BUILD", "auto")
    assert wanted in ("auto", build.running())
    for module in (book, engine, order):
        is_source = str(module.__file__).endswith(".py")
        assert is_source == (build.running() == "pure")
    # A function of the source has a code object, a native one has none.
    assert hasattr(fee, "__code__") == (build.running() == "pure")
    assert issubclass(order.Order, msgspec.Struct) == (build.running() == "pure")


def test_a_build_that_fits_is_taken(made: Path) -> None:
    assert why_not_compiled(made) == ""


def test_a_changed_source_is_never_run_from_an_old_build(made: Path) -> None:
    (made / "matcher" / "engine" / "book.py").write_text("x = 2\n")
    assert "stale: matcher/engine/book.py changed" in why_not_compiled(made)
    (made / "matcher" / "engine" / "book.py").unlink()
    assert "stale: matcher/engine/book.py changed" in why_not_compiled(made)


def test_a_build_for_another_interpreter_is_not_taken(made: Path) -> None:
    write_manifest(made, "cpython-27-linux-vax")
    assert "is for cpython-27-linux-vax" in why_not_compiled(made)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_a_damaged_manifest_is_no_build(made: Path, content: bytes) -> None:
    (build.compiled_directory(made) / "manifest.json").write_bytes(content)
    assert "damaged" in why_not_compiled(made)


def test_no_build_is_no_harm_unless_the_setting_needs_one(tmp_path: Path) -> None:
    assert why_not_compiled(tmp_path) == "there is no compiled build"
    # A place without a build: the links of the package stay links, so that the matcher is copied.
    package = tmp_path / "copy" / "crossbook"
    copied = package / "matcher"
    copied.mkdir(parents=True)
    (package / "common").symlink_to(ROOT / "common")
    (package / "__init__.py").write_text((ROOT / "crossbook" / "__init__.py").read_text())
    (copied / "engine").mkdir()
    for name in ("__init__.py", "build.py", "engine/__init__.py"):
        (copied / name).write_text((ROOT / "matcher" / name).read_text())
    script = f"import sys; sys.path.insert(0, {str(tmp_path / 'copy')!r}); "
    script += "from crossbook.matcher import build; chosen = build.use_build(); "
    output = run("auto", "-c", script + "print(build.running(), chosen.why_pure)")
    assert output == "pure there is no compiled build\n"
    output = run("compiled", "-c", script, expect=1)
    assert "ImportError: MATCHER_BUILD=compiled: there is no compiled build; make it with" in output


def test_an_unknown_build_is_refused() -> None:
    output = run("fast", "-m", MODULES["matcher"], expect=1)
    assert "MATCHER_BUILD='fast': must be one of auto, pure, compiled" in output


def test_the_other_build_writes_the_same_journal(tmp_path: Path) -> None:
    if OTHER == "compiled" and why_not_compiled(ROOT):
        pytest.skip(f"{why_not_compiled(ROOT)}; make compiled")
    mine, others = tmp_path / "mine", tmp_path / "others"
    make(mine)
    run(OTHER, "-m", "tests.golden.make", str(others))
    names = sorted(path.name for path in mine.iterdir())
    assert len(names) > 3
    assert names == sorted(path.name for path in others.iterdir())
    for name in names:
        assert (mine / name).read_bytes() == (others / name).read_bytes(), name
    verdict = verify(FileDisk(others, read_only=True))
    assert (verdict.problem, verdict.replayed_from) == ("", 1)
    output = run(OTHER, "-m", VERIFY, str(mine))
    assert verdict.state_hash in output


SOURCE = """from crossbook.common.messages.events import Event, Gone


class Order(Struct, eq=False):
    lots: int = 0

    def gone(self) -> list[Event]:
        return [Gone(self.lots)]
"""
IMPORTS = "import typing, mypy_extensions; from crossbook.common.messages.events import Event, Gone"
LOWERED = f"""{IMPORTS}; Gone_: typing.Final = Gone

@mypy_extensions.mypyc_attr(native_class=True)
class Order:
    def __init__(self, lots: int=0) -> None: self.lots = lots

    def gone(self) -> list[Event]:
        return [Gone_(self.lots)]"""


def test_compiled_source_means_the_same_in_the_same_lines() -> None:
    assert lowered(SOURCE) == LOWERED
    for name in compiling.MODULES:
        source = (ROOT / "matcher" / "engine" / f"{name}.py").read_text()
        assert len(lowered(source).splitlines()) == len(source.splitlines())


@pytest.mark.parametrize(
    "words", ["", ", frozen=True", ", eq=False, frozen=True", ", array_like=True, eq=False"]
)
def test_a_struct_that_would_lose_a_part_is_not_compiled(words: str) -> None:
    with pytest.raises(ValueError, match="Price cannot be compiled"):
        lowered(f"from msgspec import Struct\n\n\nclass Price(Struct{words}):\n    ticks: int\n")


def test_a_machine_without_a_compiler_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O3")
    with pytest.raises(SystemExit) as left:
        compiling.main()
    assert left.value.code == compiling.NO_COMPILER
    assert "stays pure Python: there is no C compiler no-such-compiler" in capsys.readouterr().err
