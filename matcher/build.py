"""Which build of the engine runs.

Importing this module decides it: the source, or the native modules that `make compiled` made of
the same source in `build/compiled` (docs/reference/matcher.md, "Builds"). The environment variable
`MATCHER_BUILD` requests one: `pure`, `compiled` (refuse anything else) or `auto`, the default
(compiled where there is one that fits). Native modules that were made of other source than lies
here never run. The decision costs about a millisecond.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from crossbook.common.errors import BAD_BYTES

BUILDS: Final = ("auto", "pure", "compiled")
ROOT: Final = Path(__file__).resolve().parents[1]


class Manifest(msgspec.Struct, frozen=True):
    """What native modules were made for, and of: digests of the source by path below the root."""

    platform: str
    sources: Mapping[str, str]


def compiled_directory(root: Path) -> Path:
    """Where the native modules of the source below `root` lie."""
    return root / "build" / "compiled"


def platform() -> str:
    """Which interpreter can load native modules made here."""
    return f"{sys.implementation.cache_tag}-{sys.platform}-{os.uname().machine}"


def digests(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """SHA-256 of these files; the empty text for one that is not there."""
    found = {}
    for path in paths:
        file = root / path
        found[path] = sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    return found


def why_not_compiled(root: Path) -> str:
    """What keeps the native modules of this source from running, or the empty text."""
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


def _choose() -> tuple[str, str, list[str]]:
    """The build that runs from now on, why it is not the compiled one if it is not, and where
    its native modules lie."""
    wanted = os.environ.get("MATCHER_BUILD", "auto")
    if wanted not in BUILDS:
        raise ImportError(f"MATCHER_BUILD={wanted!r}: must be one of {', '.join(BUILDS)}")
    if wanted == "pure":
        return "pure", "MATCHER_BUILD=pure", []
    obstacle = why_not_compiled(ROOT)
    if not obstacle:
        directory = str(compiled_directory(ROOT))
        # Behind everything: only the library the native modules share is found there.
        sys.path.append(directory)
        return "compiled", "", [os.path.join(directory, "crossbook", "matcher", "engine")]
    if wanted == "compiled":
        raise ImportError(f"MATCHER_BUILD=compiled: {obstacle}; make it with: make compiled")
    return "pure", obstacle, []


_CHOSEN: Final = _choose()
BUILD: Final = _CHOSEN[0]
WHY_PURE: Final = _CHOSEN[1]
NATIVE: Final = _CHOSEN[2]
