"""Every module that is started by name exists and can be started."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossbook.common.process import programs
from tests.test_tidy import FOLDERS, ROOT, relative, text_files

WORDS = re.compile(r"(?<![\w-])-m[ ,]+([a-z_]+(?:\.[a-z_]+)*)")
"""`python -m NAME`, also as a list of YAML."""


def spelled_out(source: str) -> Iterator[str]:
    """Texts that follow `"-m"` among the words of a command or of a call."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.List | ast.Tuple | ast.Call):
            words = node.args if isinstance(node, ast.Call) else node.elts
            for flag, name in itertools.pairwise(words):
                if isinstance(flag, ast.Constant) and flag.value == "-m":
                    yield str(name.value) if isinstance(name, ast.Constant) else ""


def named(path: Path) -> set[str]:
    """The modules of the project that a file of it starts by a name in its text."""
    source = path.read_text()
    found = set(WORDS.findall(source))
    if path.suffix == ".py":
        found.update(spelled_out(source))
    return {name for name in found if name.partition(".")[0] in FOLDERS}


def runs(name: str, root: Path) -> bool:
    """Whether `python -m NAME` would run something of the source below `root`."""
    if (root / "crossbook" / name.partition(".")[0]).is_symlink():
        return False
    place = root.joinpath(*name.split("."))
    if (place / "__main__.py").is_file():
        return True
    module = place.with_suffix(".py")
    return module.is_file() and '__name__ == "__main__"' in module.read_text()


def test_every_module_started_by_name_exists() -> None:
    found = {
        (relative(path), name)
        for path in (*text_files(), ROOT / "docker-compose.yml")
        for name in named(path)
    }
    assert ("docker-compose.yml", "crossbook.matcher") in found
    assert len(found) > 50
    missing = sorted(f"{path}: -m {name}" for path, name in found if not runs(name, ROOT))
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    "name",
    [
        *programs.MODULES.values(), programs.COMMAND_LINE,
        programs.VERIFY, programs.PRINT, programs.BACKUP, programs.RERUN,
    ],
)  # fmt: skip
def test_a_program_exists(name: str) -> None:
    assert runs(name, ROOT)


def test_the_packages_spell_no_name_out() -> None:
    """Modules take names of programs from `crossbook.common.process.programs`, or from
    `__name__`."""
    found = [
        f"{relative(path)}: {name}"
        for folder in ("common", "crossbook", "gateway", "matcher", "publisher", "recorder")
        for path in (ROOT / folder).rglob("*.py")
        for name in spelled_out(path.read_text())
        if name
    ]
    assert not found


def test_a_name_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    script = tmp_path / "a.py"
    source = '"""python -' + 'm matcher.gone"""\nrun([x, "-m", "matcher.lost"], y, "-m", z)'
    script.write_text(source)
    assert named(script) == {"matcher.gone", "matcher.lost"}
    (tmp_path / "matcher").mkdir()
    (tmp_path / "matcher" / "lost.py").write_text("x = 1")
    assert not runs("matcher.lost", tmp_path)
    assert not runs("matcher.gone", tmp_path)
    assert not runs("matcher", ROOT), "it is crossbook.matcher"
