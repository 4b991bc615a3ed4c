"""Compile the matching engine with mypyc: `python -m tools.compile`, or `make compiled`.

The result is in `build/compiled`, where `matcher/build.py` finds it. The source stays as it is: a
copy written by `tools/lower.py` is compiled.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

import msgspec

from crossbook.matcher.build import ROOT, Manifest, compiled_directory, digests, platform
from tools.lower import lowered

MODULES: Final = (
    "administration",
    "amendment",
    "answers",
    "book",
    "cancellation",
    "dedupe",
    "dry_run",
    "election",
    "engine",
    "funds",
    "ledger",
    "matching",
    "new_order",
    "order",
    "prevention",
    "queries",
    "terms",
    "timers",
    "triggers",
    "venue",
)
"""Modules of the matcher that are compiled: those that orders, amends and cancels run through."""

NO_COMPILER: Final = 3
"""Exit status where nothing can be compiled."""


def obstacle() -> str:
    """The missing requirement of a compilation and its remedy; empty if nothing is missing."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if not shutil.which(compiler):
        return f"there is no C compiler {compiler} (Debian and Ubuntu: apt install gcc)"
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.is_file():
        return f"there is no {header} (Debian and Ubuntu: apt install python3-dev)"
    try:
        import mypyc.build  # noqa: F401
        import setuptools  # noqa: F401
    except ImportError as error:
        return f"{error} (make test installs it)"
    return ""


def source_files(root: Path) -> list[str]:
    """The source a build is made of, by path below `root`: also of folders within folders."""
    return sorted(
        path.relative_to(root).as_posix()
        for folder in ("common", "matcher")
        for path in (root / folder).rglob("*.py")
    )


def build(root: Path) -> None:
    """Compile the source below `root` anew; an earlier result is removed first.

    The manifest is written last, so that an unfinished result is never used.
    """
    directory = compiled_directory(root)
    work = root / "build" / "compile"
    for place in (directory, work):
        shutil.rmtree(place, ignore_errors=True)
    sources = [f"matcher/engine/{name}.py" for name in MODULES]
    # Modules that are not compiled are read for their types and the values of their constants.
    made_of = digests(root, source_files(root))
    for name in made_of:
        text = (root / name).read_text()
        copy = work / "source" / "crossbook" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(lowered(text) if name in sources else text)
    (work / "source" / "crossbook" / "__init__.py").touch()
    named = [f"crossbook/{name}" for name in sources]
    _compile(work / "source", work / "modules", work / "objects", named)
    shutil.copytree(work / "modules", directory)
    manifest = Manifest(platform(), made_of)
    (directory / "manifest.json").write_bytes(msgspec.json.encode(manifest))


def _compile(source: Path, modules: Path, objects: Path, paths: list[str]) -> None:
    """Run mypyc and the C compiler from within `source`; raises `CalledProcessError`."""
    script = (
        "import sys\n"
        "from mypyc.build import mypycify\n"
        "from setuptools import setup\n"
        "modules, objects, *paths = sys.argv[1:]\n"
        "extensions = mypycify(['--config-file=', '--ignore-missing-imports', *paths],\n"
        "    opt_level='3', debug_level='0', target_dir=objects, group_name='crossbook_matcher')\n"
        "setup(name='crossbook-matcher', packages=[], ext_modules=extensions, script_args=\n"
        "    ['-q', 'build_ext', '--build-lib', modules, '--build-temp', objects])\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(modules), str(objects), *paths], cwd=source, check=True
    )


def main() -> None:
    """Compile, or with `--check` only print whether it is possible."""
    missing = obstacle()
    if missing:
        print(f"cannot compile, the engine stays pure Python: {missing}", file=sys.stderr)
        sys.exit(NO_COMPILER)
    if sys.argv[1:] != ["--check"]:
        build(ROOT)
        print(f"compiled {len(MODULES)} modules into {compiled_directory(ROOT)}")


if __name__ == "__main__":
    main()
