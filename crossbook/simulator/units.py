"""Types of parameters that several kinds of agents have."""

from typing import Annotated, Final, TypeAlias

from msgspec import Meta

_BASIS_POINTS: Final = 10_000
_DECIMALS: Final = 12

Chances: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
"""A probability or a share."""

Multiple: TypeAlias = Annotated[float, Meta(gt=0, le=1_000_000)]
"""A factor."""

Quote: TypeAlias = Annotated[float, Meta(gt=0, le=1e12)]
"""An amount in quote units."""

Bps: TypeAlias = Annotated[float, Meta(ge=0, le=_BASIS_POINTS)]
"""A share of a price, in basis points."""


def ratio(bps: float) -> float:
    """Basis points as a share of one: the float nearest to its decimal text.

    >>> ratio(1.2), 1.2 / 10_000
    (0.00012, 0.00011999999999999999)
    """
    return round(bps / _BASIS_POINTS, _DECIMALS)
