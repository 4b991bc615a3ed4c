"""The samples of an exposition, for tests that compare all of them."""

from types import SimpleNamespace
from typing import Any

from crossbook.common.process.counters import Buckets
from crossbook.common.process.exposition import Exposition


def parts(**values: Any) -> Any:
    """An object with these attributes, which replaces a part with counters."""
    return SimpleNamespace(**values)


class Sized:
    """An object with a size, and attributes."""

    def __init__(self, size: int, **values: object) -> None:
        self._size = size
        vars(self).update(values)

    def __len__(self) -> int:
        return self._size


def once(value: int) -> Buckets:
    """A histogram of one value."""
    made = Buckets((1,))
    made.add(value)
    return made


def samples(exposition: Exposition) -> dict[str, float]:
    """Every sample without the prefix common to all, without ranges of histograms and without
    figures of the system."""
    found: dict[str, float] = {}
    for family in exposition.families():
        for sample in family.samples:
            if not sample.name.endswith("_bucket"):
                labels = "".join(f" {label}" for label in sample.labels.values())
                name = sample.name.removeprefix("crossbook_") + labels
                assert name not in found, f"{name} is there twice"
                found[name] = sample.value
    return found
