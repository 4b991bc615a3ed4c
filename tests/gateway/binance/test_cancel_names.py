"""Client order ids of cancels in progress."""

from crossbook.gateway.binance.cancel_names import CancelNames


def test_of_two_cancels_at_once_the_first_has_the_name() -> None:
    names = CancelNames()
    with names.given(5, "first"):
        with names.given(5, "second"), names.given(6, None):
            assert (names.of(5), names.of(6)) == ("first", "CXL-0000000006")
        assert names.of(5) == "first"
    assert names.of(5) == "CXL-0000000005"
