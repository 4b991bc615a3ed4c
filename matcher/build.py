"""Which build of the engine a process runs.

It is the source, or the native modules that `make compiled` made of the same source in
`build/compiled` (docs/reference/matcher.md, "Builds"). The source runs in a process that does not
call `use_build` at its start. That function reads the environment variable `MATCHER_BUILD`:
`pure`, `compiled` (refuse anything else) or `auto`, the default (compiled where there is one that
fits). Native modules that were made of other source than lies here never run. The decision costs
about a millisecond.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from crossbook.common.errors import BAD_BYTES
from crossbook.matcher import engine

BUILDS: Final = ("auto", "pure", "compiled")
ROOT: Final = Path(__file__).resolve().parents[1]


class Build(msgspec.Struct, frozen=True):
    """`pure` or `compiled`, and why it is not the compiled one."""

    name: str
    why_pure: str = ""


class Manifest(msgspec.Struct, frozen=True):
    """The platform of native modules, and the digests of their source by path below the root."""

    platform: str
    sources: Mapping[str, str]


def compiled_directory(root: Path) -> Path:
    """Where the native modules of the source below `root` lie."""
    return root / "build" / "compiled"


def platform() -> str:
    """The interpreter and machine that can load native modules compiled here."""
    return f"{sys.implementation.cache_tag}-{sys.platform}-{os.uname().machine}"


def digests(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """SHA-256 of these files; the empty text for a missing one."""
    found = {}
    for path in paths:
        file = root / path
        found[path] = sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    return found


def why_not_compiled(root: Path) -> str:
    """The reason why the native modules cannot run this source, or the empty text."""
    manifest = compiled_directory(root) / "manifest.json"
    if not manifest.is_file():
        return "there is no compiled build"
    try:
        made = msgspec.json.decode(manifest.read_bytes(), type=Manifest)
    except BAD_BYTES:
        return f"{manifest} is damaged"
    if made.platform != platform():
        return f"the compiled build is for {made.platform}, and this is {platform()}"
    found = digests(root, made.sources)
    changed = [path for path, digest in made.sources.items() if found[path] != digest]
    if changed:
        return f"the compiled build is stale: {', '.join(changed)} changed since"
    return ""


def choose(wanted: str, root: Path = ROOT) -> Build:
    """The build that `MATCHER_BUILD=wanted` names for the source below `root`.

    Raises `ImportError` where there is none.
    """
    if wanted not in BUILDS:
        raise ImportError(f"MATCHER_BUILD={wanted!r}: must be one of {', '.join(BUILDS)}")
    if wanted == "pure":
        return Build("pure", "MATCHER_BUILD=pure")
    obstacle = why_not_compiled(root)
    if not obstacle:
        return Build("compiled")
    if wanted == "compiled":
        raise ImportError(f"MATCHER_BUILD=compiled: {obstacle}; make it with: make compiled")
    return Build("pure", obstacle)


@cache
def use_build() -> Build:
    """Let this process import the build that its environment names; later calls return the same.

    Called where a process starts, before it imports any module of the engine.
    """
    chosen = choose(os.environ.get("MATCHER_BUILD", "auto"))
    if chosen.name == "compiled":
        directory = compiled_directory(ROOT)
        # Behind everything: only the library that the native modules share is found there.
        sys.path.append(str(directory))
        engine.__path__.insert(0, str(directory / "crossbook" / "matcher" / "engine"))
    return chosen


def running() -> str:
    """The name of the build that this process imports its engine from."""
    return "pure" if len(engine.__path__) == 1 else "compiled"
