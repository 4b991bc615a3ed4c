"""The possible contents of a directory after a loss of power, given the calls made in it.

Only synced bytes are durable. Of the bytes written to a file since its last sync all, none, the
first ones or some sectors may be there. A name made, moved or removed since the last sync of the
directory may be durable or not, each independently, because file systems promise no order.
"""

from collections.abc import Iterable
from random import Random
from typing import Final, Literal

from tests.simulation.fake_disk import survivors
from tests.worlds.disk_calls import (
    Call,
    DirectorySynced,
    Named,
    Promised,
    Renamed,
    Synced,
    Unnamed,
    Wrote,
)

Fate = Literal["all", "nothing", "some"]

CORNERS: Final[tuple[tuple[Fate, Fate], ...]] = (
    ("all", "nothing"),
    ("nothing", "all"),
    ("nothing", "nothing"),
    ("all", "all"),
    ("some", "nothing"),
    ("some", "some"),
)
"""The outcome of names, and of bytes, that were not synced."""

TEMPORARY: Final = ".tmp"


class Platter:
    """The durable state, and the state in the system's memory. `promised` is the last promise."""

    def __init__(self, before: dict[str, tuple[int, bytes]]) -> None:
        self._content = {number: bytearray(data) for number, data in before.values()}
        self._written: dict[int, list[tuple[int, bytes]]] = {}
        self._names = {name: number for name, (number, _) in before.items()}
        self._moves: list[Named | Renamed | Unnamed] = []
        self.promised = Promised(0, 0)

    def apply(self, call: Call) -> None:
        """Apply a call."""
        if isinstance(call, Promised):
            self.promised = call
        elif isinstance(call, Wrote):
            self._written.setdefault(call.file, []).append((call.offset, call.data))
        elif isinstance(call, Synced):
            _put(self._content.setdefault(call.file, bytearray()), self._written.pop(call.file, []))
        elif isinstance(call, DirectorySynced):
            self._names = _moved(self._names, self._moves)
            self._moves.clear()
        else:
            self._moves.append(call)

    def left(self, names: Fate, data: Fate, rng: Random) -> dict[str, bytes]:
        """The files after the loss of power."""
        moves = [
            move
            for move in self._moves
            if names == "all" or (names == "some" and rng.random() < 0.5)
        ]
        found = {}
        for name, number in sorted(_moved(self._names, moves).items()):
            if name.endswith(TEMPORARY) or name == "lock":
                continue
            content = bytearray(self._content.get(number, b""))
            for offset, piece in self._written.get(number, []):
                if data == "all":
                    _put(content, [(offset, piece)])
                elif data == "some":
                    _put(content, survivors(rng, offset, piece))
            found[name] = bytes(content)
        return found


def _moved(names: dict[str, int], moves: Iterable[Named | Renamed | Unnamed]) -> dict[str, int]:
    names = dict(names)
    for move in moves:
        if isinstance(move, Named):
            names[move.name] = move.file
        elif isinstance(move, Renamed):
            names.pop(move.old, None)
            names[move.new] = move.file
        else:
            names.pop(move.name, None)
    return names


def _put(content: bytearray, pieces: Iterable[tuple[int, bytes]]) -> None:
    for offset, piece in pieces:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(piece)] = piece
