"""Digest of a seed's events and final state: `python -m tests.properties.digest SEED COMMANDS`.

Two processes that print the same line gave the same bytes.
"""

import sys
from hashlib import sha256

from common.codec import encode
from matcher.engine import Engine
from matcher.snapshot import state_hash
from tests.properties.generator import random_commands
from tests.properties.market import INSTRUMENTS


def digest(seed: int, count: int) -> str:
    """SHA-256 of all encoded events, and the state hash."""
    engine = Engine(INSTRUMENTS)
    sha = sha256()
    for index, command in enumerate(random_commands(seed, count)):
        sha.update(encode(engine.apply(command, time_ns=index)))
    return f"{sha.hexdigest()} {state_hash(engine)}"


if __name__ == "__main__":
    print(digest(int(sys.argv[1]), int(sys.argv[2])))
