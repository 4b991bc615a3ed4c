"""Digest of a seed's events, snapshot and state: `python -m tests.properties.digest SEED COMMANDS`.

Two processes that print the same line made the same bytes.
"""

import sys
from hashlib import sha256

from crossbook.matcher.build import use_build

if __name__ == "__main__":
    # What is imported below brings the engine.
    use_build()

from crossbook.common.messages.codec import encode
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.recovery.snapshot import capture, state_hash
from tests.properties.generator import random_commands
from tests.properties.market import rules_of, venue


def digest(seed: int, count: int) -> str:
    """SHA-256 of all encoded events, that of the snapshot, and the state hash."""
    engine = venue(Engine, rules_of(seed))
    sha = sha256()
    for command, time_ns in random_commands(seed, count):
        sha.update(encode(engine.apply(command, time_ns)))
    snapshot = sha256(capture(engine))
    return f"{sha.hexdigest()} {snapshot.hexdigest()} {state_hash(engine)}"


if __name__ == "__main__":
    print(digest(int(sys.argv[1]), int(sys.argv[2])))
