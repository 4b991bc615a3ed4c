"""An administrator's client whose requests a real matcher answers in this process."""

from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.client.admin_client import AdminClient
from crossbook.common.messages.admin import AdminReply, AdminView
from crossbook.common.messages.codec import (
    decode_admin_reply,
    decode_admin_request,
    encode,
)
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.worlds.forgetful_log import ForgetfulLog
from tests.worlds.venue import venue

NOW_NS = 1_900_000_000 * 10**9
"""2030-03-17T17:46:40Z."""


class KeyMatcher:
    """A matcher that every `AdminClient` reaches; `now_ns` is its time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine: Engine = venue()
        self.now_ns = NOW_NS
        self._sequencer = Sequencer(self.engine, ForgetfulLog(7), EventResendBuffer(0))
        monkeypatch.setattr(AdminClient, "_exchange", lambda _, request: self.answer(request))
        monkeypatch.delenv("SHARDS", raising=False)

    def answer(self, request: Any) -> AdminReply:
        """The answer over the bytes of the wire."""
        received: Any = decode_admin_request(encode(request))
        _, reply = self._sequencer.administer(received, self.now_ns)
        if isinstance(reply, AdminView):
            reply = replace(reply, time_ns=self.now_ns)
        found: AdminReply = decode_admin_reply(encode(reply))
        return found
