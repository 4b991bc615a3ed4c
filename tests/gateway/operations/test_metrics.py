"""The gateway's exposition: every sample of the parts it has, and none of absent parts."""

from collections import Counter

from crossbook.common.messages.process_metrics import Metrics
from crossbook.common.process.connections import REASONS
from crossbook.common.types import RejectReason
from crossbook.gateway.operations.metrics import GatewayMetrics
from crossbook.gateway.web.channel import POLICY_VIOLATION, TRY_AGAIN_LATER
from crossbook.gateway.web.websocket import ABNORMAL
from tests.worlds.exposition import Sized, once, parts, samples


def answered(seq: int) -> Metrics:
    return Metrics(request_id=1, seq=seq, text="")


def test_without_parts_the_exposition_has_only_the_processes() -> None:
    assert samples(GatewayMetrics(1, 2)) == {"up gateway": 1}


def test_a_process_that_is_away_is_down_and_has_no_lag() -> None:
    exposition = GatewayMetrics(1, 2)
    exposition.answers = {
        "matcher": answered(100), "publisher": answered(97), "recorder": None,
        "matcher-1": None, "publisher-1": answered(5),
        "matcher-2": answered(50), "recorder-2": answered(51),
    }  # fmt: skip
    assert samples(exposition) == {
        "up gateway": 1, "up matcher": 1, "up publisher": 1, "up recorder": 0,
        "up matcher-1": 0, "up publisher-1": 1, "up matcher-2": 1, "up recorder-2": 1,
        "sequence_lag publisher": 3, "sequence_lag recorder-2": 0,
    }  # fmt: skip


def test_the_gateway_itself_is_behind_too() -> None:
    exposition = GatewayMetrics(1, 2)
    exposition.answers = {"matcher": answered(100), "matcher-1": answered(50)}
    exposition.desk = parts(seq_of=lambda shard: (98, 44)[shard])
    assert samples(exposition) == {
        "up gateway": 1, "up matcher": 1, "up matcher-1": 1,
        "sequence_lag gateway": 2, "sequence_lag gateway-1": 6,
    }  # fmt: skip


def test_every_sample_of_order_entry_has_its_own_value() -> None:
    exposition = GatewayMetrics(11, 12)
    rejects = {reason: 100 + reason for reason in RejectReason}
    exposition.desk = parts(
        seq_of=lambda shard: 13 + shard, outbox=parts(rejects=rejects), commands_waiting=14,
        turns_waiting=145, queries_waiting=15, sessions=range(16), is_accepting=True,
    )  # fmt: skip
    exposition.traffic = parts(
        replies=17,
        clients_dropped=18,
        answer_times=once(19_000_000_000),
        connections=Sized(70, cut_off={"unread": 71}, held=72, unread=73),
    )
    exposition.handshakes = parts(admitted=74, refused=75)
    link = parts(commands_sent=20, commands_again=30, gaps=40, events_lost=50, held=60)
    other = parts(commands_sent=1, commands_again=2, gaps=3, events_lost=4, held=5)
    exposition.links = [link, other]
    exposition.limits = parts(throttled=Counter(orders=80, queries=81, catch_ups=82))
    assert samples(exposition) == {
        "up gateway": 1,
        "gateway_throttled_total orders": 80,
        "gateway_throttled_total queries": 81,
        "gateway_throttled_total catch_ups": 82,
        "gateway_throttled_total address": 0,
        "gateway_sequence": 13,
        "gateway_commands_total": 21,
        "gateway_commands_again_total": 32,
        **{f"gateway_rejects_total {each.name}": 100 + each for each in RejectReason},
        "gateway_replies_total": 17,
        "gateway_answer_seconds_count": 1,
        "gateway_answer_seconds_sum": 19,
        "gateway_commands_in_flight": 14,
        "gateway_commands_in_flight_limit": 11,
        "gateway_turns_waiting": 145,
        "gateway_queries_waiting": 15,
        "gateway_sessions": 16,
        "gateway_sessions_limit": 12,
        "gateway_clients_dropped_total": 18,
        "gateway_peers": 70,
        **{f"gateway_peers_cut_off_total {each}": 0 for each in REASONS},
        "gateway_peers_cut_off_total unread": 71,
        "gateway_handshakes_total admitted": 74,
        "gateway_handshakes_total refused": 75,
        "gateway_peer_bytes_held": 72,
        "gateway_peer_bytes_unread": 73,
        "gateway_taking_orders": 1,
        "gateway_event_gaps_total": 43,
        "gateway_events_lost_total": 54,
        "gateway_held_batches": 65,
    }


def test_every_sample_of_market_data_and_of_the_web_has_its_own_value() -> None:
    exposition = GatewayMetrics(1, 2)
    exposition.answers = {"matcher": answered(40)}
    counters = parts(messages=21, gaps=22, resends=23, snapshots=24, mismatches=25, lost=26)
    group = parts(counters=counters)
    exposition.feed = parts(seq_of=lambda shard: 27 + shard, stale=True, group=group)
    streams = [
        ("orderbook", Sized(3, behind=range(1), resyncs=4)),
        ("orderbook", Sized(5, behind=range(2), resyncs=6)),
        ("trades", Sized(7, behind=range(3), resyncs=8)),
    ]
    exposition.streams = parts(by_name=lambda: streams)
    exposition.histories = [parts(waiting=31, given_up=32), parts(waiting=1, given_up=2)]
    closed = {POLICY_VIOLATION: 33, 1000: 34}
    hub = Sized(35, closed={ABNORMAL: 0, TRY_AGAIN_LATER: 0} | closed,
                limits=parts(connections_max=36), crowd=parts(turns=parts(waiting=84),
                    cut_off=lambda: {"unread": 81}, unread=parts(total=82)))  # fmt: skip
    exposition.hub = hub  # type: ignore[assignment]
    exposition.server = parts(http_connections=range(37))
    exposition.http = parts(statuses={"200": 38, "404": 39}, times=once(40_000_000_000))
    exposition.address_limits = parts(throttled=80)
    exposition.address_weights = parts(refused=3)
    assert samples(exposition) == {
        **{f"gateway_throttled_total {each}": 0 for each in ("orders", "queries", "catch_ups")},
        "gateway_throttled_total address": 83,
        "up gateway": 1,
        "up matcher": 1,
        "sequence_lag feed": 13,
        "gateway_feed_sequence": 27,
        "gateway_feed_stale": 1,
        "gateway_feed_messages_total": 21,
        "gateway_feed_gaps_total": 22,
        "gateway_feed_resends_total": 23,
        "gateway_feed_snapshots_total": 24,
        "gateway_feed_mismatches_total": 25,
        "gateway_feed_lost_total": 26,
        "gateway_stream_clients orderbook": 8,
        "gateway_stream_clients trades": 7,
        "gateway_stream_clients_behind orderbook": 3,
        "gateway_stream_clients_behind trades": 3,
        "gateway_stream_resyncs_total orderbook": 10,
        "gateway_stream_resyncs_total trades": 8,
        "gateway_history_questions": 32,
        "gateway_history_unanswered_total": 34,
        "gateway_http_requests_total 200": 38,
        "gateway_http_requests_total 404": 39,
        "gateway_http_seconds_count": 1,
        "gateway_http_seconds_sum": 40,
        "gateway_http_connections": 37,
        "gateway_http_cut_off_total unread": 81,
        "gateway_web_waiting": 84,
        "gateway_web_bytes_unread": 82,
        "gateway_websockets": 35,
        "gateway_websockets_limit": 36,
        f"gateway_websockets_closed_total {ABNORMAL}": 0,
        f"gateway_websockets_closed_total {POLICY_VIOLATION}": 33,
        f"gateway_websockets_closed_total {TRY_AGAIN_LATER}": 0,
        "gateway_websockets_closed_total 1000": 34,
    }


def test_the_streams_of_the_binance_face_are_counted_with_the_others() -> None:
    exposition = GatewayMetrics(1, 2)
    face = Sized(91, behind=92, losses=93)
    exposition.face_streams = face  # type: ignore[assignment]
    exposition.user_streams = Sized(2, subscribers=94)  # type: ignore[assignment]
    assert samples(exposition) == {
        "up gateway": 1,
        "gateway_stream_clients binance": 91,
        "gateway_stream_clients binance-user": 94,
        "gateway_stream_clients_behind binance": 92,
        "gateway_stream_resyncs_total binance": 93,
    }
