"""The exposition of the publisher: every sample, and the time for which one text is sent again."""

import pytest

from crossbook.common.process.connections import REASONS
from crossbook.publisher import metrics
from crossbook.publisher.metrics import FRESH_NS, PublisherMetrics
from tests.worlds.exposition import Sized, once, parts, samples


def exposition() -> PublisherMetrics:
    topics = {"l2.BTC-USDT": 3, "trade.BTC-USDT": 4, "l2.ETH-USDT": 5}
    feed = parts(
        seq=11,
        topics={name: parts(sent=sent) for name, sent in topics.items()},
        markets={1: parts(symbol="BTC-USDT", open_orders=6), 2: parts(symbol="E", open_orders=7)},
    )
    made = PublisherMetrics(
        parts(feed=feed, gaps=12, held=13, losses={"started": 14, "events_lost": 15}),
        parts(answers={"snapshot": 16}),
        parts(
            batches=21, events=22, malformed=23, stale_ns=2_500_000_000,
            sizes=once(25), delays=once(26_000_000_000),
        ),
    )  # fmt: skip
    subscribers = Sized(24, cut_off={"held": 10}, held=3, unread=4)
    consumers = Sized(5, cut_off={"held": 2}, held=4, unread=5)
    made.sockets = lambda: (subscribers, consumers)  # type: ignore[assignment,return-value]
    return made


def test_every_sample_has_its_own_value() -> None:
    assert samples(exposition()) == {
        "publisher_sequence": 11,
        "publisher_batches_total": 21,
        "publisher_events_total": 22,
        "publisher_malformed_total": 23,
        "publisher_round_batches_count": 1,
        "publisher_round_batches_sum": 25,
        "publisher_delay_seconds_count": 1,
        "publisher_delay_seconds_sum": 26,
        "publisher_silence_seconds": 2.5,
        "publisher_gaps_total": 12,
        "publisher_held_batches": 13,
        "publisher_books_lost_total started": 14,
        "publisher_books_lost_total events_lost": 15,
        "publisher_messages_total l2": 8,
        "publisher_messages_total trade": 4,
        "publisher_subscribers": 24,
        **{f"publisher_peers_cut_off_total {each}": 0 for each in REASONS},
        "publisher_peers_cut_off_total held": 12,
        "publisher_peer_bytes_held": 7,
        "publisher_peer_bytes_unread": 9,
        "publisher_answers_total snapshot": 16,
        "publisher_open_orders BTC-USDT": 6,
        "publisher_open_orders E": 7,
    }


def test_a_text_is_sent_again_until_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000_000]
    monkeypatch.setattr(metrics, "time", parts(monotonic_ns=lambda: now[0]))
    made = exposition()
    first = made.text()
    assert "crossbook_publisher_events_total 22.0" in first
    made._rounds.events = 99
    now[0] += FRESH_NS - 1
    assert made.text() == first
    now[0] += 1
    assert "crossbook_publisher_events_total 99.0" in made.text()
