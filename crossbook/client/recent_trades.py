"""Trades made before a subscription, as far back as the publisher still has them."""

import time
from collections.abc import Callable
from typing import Any, Final

import zmq

from crossbook.common.errors import CodecError
from crossbook.common.messages.codec import decode_feed, decode_feed_reply, decoded, encode
from crossbook.common.messages.feed import (
    FeedReply,
    Range,
    RangeRequest,
    TooOld,
    Trade,
    Trades,
    topic,
)
from crossbook.common.process import sockets
from crossbook.common.process.keyring import Keyring
from crossbook.common.sequence import epoch_of, first_of
from crossbook.errors import MarketDataError

_REPEAT_MS: Final = 1_000


def recent_trades(
    address: str,
    symbol: str,
    last_seq: int,
    count: int,
    timeout_s: float,
    keyring: Keyring | None = None,
) -> list[Trade]:
    """The last `count` trades, or as many as the publisher still has, oldest first.

    `last_seq` is the sequence number of the topic's last message, zero where there is none.
    Raises `MarketDataError` when the publisher does not answer.
    """
    if not last_seq or not count:
        return []
    # Every message has at least one trade, so the last `count` messages are enough.
    first_seq = max(first_of(epoch_of(last_seq)), last_seq - count + 1)
    trades: list[Trade] = []
    deadline = time.monotonic() + timeout_s
    with zmq.Context() as context, sockets.snapshots_dealer(context, address, keyring) as dealer:
        request_id = 0
        while first_seq <= last_seq:
            request_id += 1
            request = RangeRequest(request_id, topic("trade", symbol), first_seq, last_seq)
            reply = _request(dealer, request, deadline)
            if isinstance(reply, Range) and reply.payloads:
                for payload in reply.payloads:
                    message = _decoded(decode_feed, payload)
                    trades += message.trades if isinstance(message, Trades) else []
                first_seq = reply.from_seq + len(reply.payloads)
            elif isinstance(reply, TooOld) and first_seq < reply.first_seq:
                first_seq = reply.first_seq
            else:
                break
    return trades[-count:]


def _request(dealer: "zmq.Socket[bytes]", request: RangeRequest, deadline: float) -> FeedReply:
    while time.monotonic() < deadline:
        dealer.send(encode(request))
        while dealer.poll(min(_REPEAT_MS, max(1, int((deadline - time.monotonic()) * 1000)))):
            reply: FeedReply = _decoded(decode_feed_reply, dealer.recv())
            if reply.request_id == request.request_id:
                return reply
    raise MarketDataError("the publisher does not answer")


def _decoded(decode: Callable[[bytes], Any], payload: bytes) -> Any:
    try:
        return decoded(decode, payload)
    except CodecError as error:
        raise MarketDataError(f"the publisher's answer cannot be read: {error}") from error
