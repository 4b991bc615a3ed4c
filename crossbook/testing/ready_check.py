"""Whether an exchange for tests is ready: its parts answer, each question until it is answered."""

from http import HTTPStatus
from typing import Any

from crossbook.testing.http import Http


class ReadyCheck:
    """The way of one exchange to ready.

    Every instrument has a ticker, once the recorder's past is known, and a book. The gateway comes
    last, which has a question for each other process. A gateway that ends begins the way anew.
    """

    def __init__(self, http: Http, *, recorder: bool) -> None:
        self._http = http
        self._parts = ("orderbook", "ticker") if recorder else ("orderbook",)
        self._optional = frozenset() if recorder else frozenset({"recorder"})
        self._paths: list[str] | None = None

    def is_reached(self) -> bool:
        """Whether every question is answered; those that were are not sent again."""
        try:
            return self._are_shown() and self._has_all()
        except OSError:
            self._paths = None
            return False

    def _are_shown(self) -> bool:
        """Whether every instrument is shown."""
        if self._paths is None:
            listed = self._answer("/api/v1/instruments")
            if listed is None:
                return False
            self._paths = [
                f"/api/v1/{part}/{each['symbol']}"
                for part in self._parts
                for each in listed["instruments"]
            ]
        while self._paths and self._answer(self._paths[-1]) is not None:
            self._paths.pop()
        return not self._paths

    def _has_all(self) -> bool:
        """Whether the gateway has all other processes."""
        ready = self._answer("/ready")
        return ready is not None and self._optional.issuperset(
            each["part"] for each in ready["missing"]
        )

    def _answer(self, path: str) -> Any:
        """The document of an answer; None for a refusal."""
        status, document = self._http.look_up(path)
        return document if status == HTTPStatus.OK else None
