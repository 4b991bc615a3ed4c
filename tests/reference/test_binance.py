"""docs/reference/binance.md lists every route, reason and end of an order as the face has it."""

import asyncio
import re
from typing import Final

from crossbook.common.types import RejectReason
from crossbook.gateway.binance.order_counts import DAY_S, SHORT_S
from crossbook.gateway.binance.parameters import PARAMETERS_MAX
from crossbook.gateway.binance.problem import refusal_of_reason
from crossbook.gateway.binance.routes import Route, Security
from crossbook.gateway.binance.states import EXPIRY_REASONS, STATES, TYPES, WITHOUT_EXPIRY
from crossbook.gateway.binance.weights import BAN_S, IGNORED_MAX, NO_LIMIT
from tests.reference.pages import page, rows, section
from tests.worlds.face_world import FaceWorld

PAGE: Final = page("binance")

SECURITY: Final = {Security.OPEN: "open", Security.NONE: "public", Security.KEY: "key"}


def needs(route: Route) -> str:
    """What a route needs, as the page has it."""
    return SECURITY.get(route.security) or (route.scope.name or "").lower()


def test_every_route_is_listed_with_its_security_and_weight() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            listed = {cells[0].strip("`"): cells for cells in rows(section(PAGE, "Routes"))}
            served = {
                f"{method} {path}": route
                for path, methods in world.face.routes.items()
                for method, route in methods.items()
            }
            assert set(listed) == set(served)
            for name, route in served.items():
                assert listed[name][1] == needs(route), name
                weight = listed[name][2]
                is_fixed = isinstance(route.weight, int)
                assert weight == str(route.weight) if is_fixed else re.search(r"\D", weight), name

    asyncio.run(main())


def test_every_reason_for_a_refusal_is_listed_with_code_and_text() -> None:
    listed = {cells[0]: cells[1:] for cells in rows(section(PAGE, "Errors"))}
    ends_only = {*WITHOUT_EXPIRY, *EXPIRY_REASONS} - {
        RejectReason.INSUFFICIENT_BALANCE, RejectReason.PRICE_BAND, RejectReason.LEVEL_FULL,
    }  # fmt: skip
    assert set(listed) == {each.name for each in RejectReason if each not in ends_only}
    for name, (status, code, text) in listed.items():
        refusal = refusal_of_reason(RejectReason[name], "price")
        if name == "UNKNOWN_ORDER":
            refusal = refusal_of_reason(RejectReason[name], "price", -2011)
        assert (int(status), int(code)) == (refusal.status, refusal.code), name
        shown = text.split("`")[1].partition("; current")[0].rstrip(".").replace("...", "price")
        assert refusal.msg.startswith(shown), (name, refusal.msg, shown)


def test_every_end_of_an_order_is_listed_with_its_expiry_reason() -> None:
    listed = {
        cells[0]: cells[1].strip("`")
        for cells in rows(section(PAGE, "Orders"))
        if cells[0] in RejectReason.__members__
    }
    assert listed == {RejectReason(reason).name: word for reason, word in EXPIRY_REASONS.items()}


def test_every_state_and_type_is_listed() -> None:
    text = section(PAGE, "Orders")
    words = [*STATES.values(), *TYPES.values(), "LIMIT_MAKER"]
    assert not [word for word in words if word != "REJECTED" and f"`{word}`" not in text]


def test_limits_are_listed_as_they_are() -> None:
    limits = section(PAGE, "Limits")
    assert f"after {IGNORED_MAX} refusals in a minute | {BAN_S} s" in limits
    assert f"{SHORT_S} and {DAY_S:,} times `ORDERS_PER_SECOND`" in limits
    assert f"shows {NO_LIMIT}" in limits
    assert f"at most {PARAMETERS_MAX}." in section(PAGE, "Requests")
