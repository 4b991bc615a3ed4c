"""The state of the venue: books, accounts, timers, what repeats are compared with, and its rules.

The rules are functions over it, a module for each family; `engine.Engine` gives them the commands.
"""

from collections.abc import Iterable

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import Instrument, check_change
from crossbook.common.keys import Key
from crossbook.common.messages.commands import AmendOrder
from crossbook.common.rules import EDITION, NO_LIMIT, Rules
from crossbook.matcher.engine.book import Effort, OrderBook, Timed
from crossbook.matcher.engine.dedupe import RetryWindow, retry_limits
from crossbook.matcher.engine.ledger import Ledger
from crossbook.matcher.engine.order import Account, Order
from crossbook.matcher.engine.timers import Timers
from crossbook.matcher.engine.unfinished import AT_ONCE, Unfinished


class Venue:
    """All books and accounts, and the number `seq` of the last command applied.

    `last_request` is the number of the last request by gateway, `retries` the orders that a retry
    is compared with, `transfers` the ids of the latest deposits and withdrawals, oldest first.
    `keys` are the API keys by id, last changed by command `keys_seq`.
    `ledger` is None without accounts. `configured` is what the last configuration named, by
    instrument id. `is_limited` while a limit of orders restricts new ones, `is_bounded` while that
    or accounts do. `max_open_orders` and `max_fills` are those of the rules. `effort` counts the
    work of dry runs in all books. `doomed` are the orders that an unfinished mass cancel has left,
    the next one last; empty after a restart.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        rules: Rules | None = None,
        edition: int = EDITION,
    ) -> None:
        self.books: dict[int, OrderBook] = {}
        self.accounts: dict[int, Account] = {}
        self.seq = 0
        self.last_request: dict[int, int] = {}
        self.retries = RetryWindow(*retry_limits(edition))
        self.transfers: dict[str, None] = {}
        self.keys: dict[str, Key] = {}
        self.keys_seq = 0
        self.timers: Timers[Timed] = Timers()
        self.ledger: Ledger | None = None
        self.rules = Rules()
        self.edition = edition
        self.configured: dict[int, Instrument] = {}
        self.effort = Effort()
        self.doomed: list[Order] = []
        self.max_open_orders = self.max_fills = NO_LIMIT
        self.is_limited = self.is_bounded = False
        self.configure(instruments, rules, edition)

    def configure(
        self,
        instruments: Iterable[Instrument],
        rules: Rules | None = None,
        edition: int = EDITION,
    ) -> None:
        """Trade these instruments under these rules (None: the present ones) from now on, by this
        edition of the market's rules.

        New instruments are added. Known ones change limits and fees where this configuration
        differs from the last one; what an administrator changed or added since stays.

        Raises `ConfigError`, before anything changes, when an instrument of the last
        configuration is missing or would change its grid: the ticks and lots of its orders would
        mean something else. Likewise when the grid of a new one is finer than its money, or when
        accounts would begin or end while orders are open.
        """
        rules = self.rules if rules is None else rules
        wanted = {instrument.id: instrument for instrument in instruments}
        for instrument_id in self.configured:
            check_change(self.books[instrument_id].instrument, wanted.get(instrument_id))
        for instrument_id, book in self.books.items():
            if instrument_id in wanted:
                check_change(book.instrument, wanted[instrument_id])
        if rules.accounts != self.rules.accounts and any(
            account.orders for account in self.accounts.values()
        ):
            was, to_be = ("on", "off") if self.rules.accounts else ("off", "on")
            raise ConfigError(
                f"ACCOUNTS was {was} when the open orders were recorded and may not become {to_be} "
                "before they have ended; set it back, or start with another DATA_DIR"
            )
        added = [
            OrderBook(instrument, self.timers, None, self.effort)
            for instrument_id, instrument in wanted.items()
            if instrument_id not in self.books
        ]
        for instrument_id, book in self.books.items():
            if wanted.get(instrument_id, book.instrument) != self.configured.get(instrument_id):
                book.configure(wanted.get(instrument_id, book.instrument))
        for book in added:
            self.books[book.instrument_id] = book
        self.configured = wanted
        if edition != self.edition:
            self.edition = edition
            self.retries = self.retries.under(*retry_limits(edition))
        self._apply_rules(rules)

    def _apply_rules(self, rules: Rules) -> None:
        self.rules = rules
        if not rules.accounts:
            self.ledger = None
        elif self.ledger is None:
            self.ledger = Ledger(rules, self.accounts)
        else:
            self.ledger.rules = rules
        if self.ledger is not None:
            self.ledger.edition = self.edition
        self.max_fills = rules.max_fills or NO_LIMIT
        for book in self.books.values():
            self.set_rules_of(book)
        self.max_open_orders = rules.max_open_orders or NO_LIMIT
        self.is_limited = rules.max_open_orders > 0 or rules.max_level_orders > 0
        self.is_bounded = rules.accounts or self.is_limited

    def set_rules_of(self, book: OrderBook) -> None:
        """Let the present rules bind a book."""
        book.ledger = self.ledger
        book.edition = self.edition
        book.max_fills = self.max_fills
        book.max_level_orders = self.rules.max_level_orders or NO_LIMIT

    @property
    def unfinished(self) -> Unfinished | None:
        """The rest of an act that the next number goes on with."""
        if self.timers.due_ns > AT_ONCE:
            return None
        owner = self.timers.first()
        assert isinstance(owner, Unfinished), "something else is due at once"
        return owner

    @property
    def instruments(self) -> list[Instrument]:
        """The instruments traded, in the order of configuration."""
        return [book.instrument for book in self.books.values()]

    @property
    def next_due_ns(self) -> int:
        """When the first timer is due; later than any time if there is none."""
        return self.timers.due_ns

    def account(self, account_id: int) -> Account:
        """The account of this number, which exists from now on."""
        account = self.accounts.get(account_id)
        if account is None:
            account = self.accounts[account_id] = Account(account_id)
        return account

    def find(self, command: AmendOrder) -> Order | None:
        """The open order that a command names, if it is that account's and that instrument's."""
        account = self.accounts.get(command.account)
        if account is None:
            return None
        if command.order_id:
            order = account.orders.get(command.order_id)
        else:
            order = account.by_client_order_id.get(command.client_order_id)
        if order is None or order.instrument != command.instrument:
            return None
        return order

    def orders_of(self, account: int) -> list[Order]:
        """The open orders of an account, or with zero of every account, oldest first."""
        if account:
            owner = self.accounts.get(account)
            return list(owner.orders.values()) if owner is not None else []
        orders = [order for owner in self.accounts.values() for order in owner.orders.values()]
        return sorted(orders, key=lambda order: order.order_id)
