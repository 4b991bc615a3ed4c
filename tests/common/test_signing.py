"""The text to sign: every part of it counts, and none can move into the next."""

from crossbook.common.signing import signed_text

PARTS = ("alice-1", "1764500000000", "5000", "POST", b"/api/v1/orders?a=1", b'{"a":1}')


def test_each_part_changes_the_text_and_no_part_can_move_into_the_next() -> None:
    texts = {signed_text(*PARTS)}
    for place, part in enumerate(PARTS):
        changed = [*PARTS]
        changed[place] = part[:-1]
        texts.add(signed_text(*changed))  # type: ignore[arg-type]
    assert len(texts) == 1 + len(PARTS)
    assert all(text.count(b"\n") == len(PARTS) - 1 for text in texts)
