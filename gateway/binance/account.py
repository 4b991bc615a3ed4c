"""Accounts in the Binance-spot face: balances, fees, order counts, listen keys, and the paths
outside `/api` that clients call at their start.

Every method takes an account and the parameters of a request, and returns a document. They raise
`Refusal` and `Problem`.
"""

from typing import Any

from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Balances, QueryBalances
from crossbook.gateway.binance.decimals import asset_axis, basis_points, rate_text
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.symbols import face_symbol
from crossbook.gateway.binance.venue import FaceVenue


class Accounts:
    """Answers what concerns an account and not its orders."""

    def __init__(self, venue: FaceVenue) -> None:
        self._venue = venue

    async def account(self, account: int, asked: Parameters) -> Any:
        """`GET account`: balances, and the fees of the first instrument."""
        without_zero = asked.boolean("omitZeroBalances") or False
        balances = await self._balances(account)
        rates = _first_rates(self._venue)
        maker, taker = rates
        return {
            "makerCommission": basis_points(maker),
            "takerCommission": basis_points(taker),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": rate_text(maker),
                "taker": rate_text(taker),
                "buyer": rate_text(0),
                "seller": rate_text(0),
            },
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": asked.time(self._venue.now_ns()),
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": free, "locked": locked}
                for asset, free, locked, is_zero in balances
                if not (without_zero and is_zero)
            ],
            "permissions": ["SPOT"],
            "uid": account,
        }

    async def commission(self, account: int, asked: Parameters) -> Any:
        """`GET account/commission`: the fees of one instrument."""
        instrument = self._venue.instrument(asked)
        none = {name: rate_text(0) for name in ("maker", "taker", "buyer", "seller")}
        standard = {
            **none,
            "maker": rate_text(instrument.maker_fee_rate),
            "taker": rate_text(instrument.taker_fee_rate),
        }
        return {
            "symbol": face_symbol(instrument.symbol),
            "standardCommission": standard,
            "specialCommission": none,
            "taxCommission": none,
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": False,
                "discountAsset": instrument.quote,
                "discount": rate_text(0),
            },
        }

    async def order_counts(self, account: int, asked: Parameters) -> Any:
        """`GET rateLimit/order`: the orders of the account in each window."""
        return self._venue.counts.counted(account, self._venue.now_ns())

    async def trade_fees(self, account: int, asked: Parameters) -> Any:
        """`GET /sapi/v1/asset/tradeFee`: the fees of one instrument, or of all."""
        return [_trade_fee(each) for each in self._venue.instruments(asked)]

    async def coins(self, account: int, asked: Parameters) -> Any:
        """`GET /sapi/v1/capital/config/getall`: the assets, with the account's balances."""
        return [
            {
                "coin": asset,
                "name": asset,
                "free": free,
                "locked": locked,
                "freeze": "0",
                "ipoable": "0",
                "ipoing": "0",
                "storage": "0",
                "withdrawing": "0",
                "depositAllEnable": False,
                "withdrawAllEnable": False,
                "trading": True,
                "isLegalMoney": False,
                "networkList": [],
            }
            for asset, free, locked, _ in await self._balances(account)
        ]

    async def open_listen_key(self, account: int, asked: Parameters) -> Any:
        """`POST userDataStream`: the listen key of the account, for an hour from now on."""
        keys = self._venue.listen_keys
        key = keys.open(account, self._venue.now_ns())
        if keys.on_open is not None:
            await keys.on_open(key, account)
        return {"listenKey": key}

    async def renew_listen_key(self, account: int, asked: Parameters) -> Any:
        """`PUT userDataStream`: nothing; the key lives for another hour."""
        key = asked.needed("listenKey")
        self._venue.listen_keys.renew(key, account, self._venue.now_ns())
        return {}

    async def close_listen_key(self, account: int, asked: Parameters) -> Any:
        """`DELETE userDataStream`: nothing; the key is no longer one."""
        key = asked.needed("listenKey")
        self._venue.listen_keys.close(key, account, self._venue.now_ns())
        return {}

    async def nothing(self, account: int, asked: Parameters) -> Any:
        """An empty list: the exchange has no margin pairs."""
        return []

    async def no_symbols(self, account: int, asked: Parameters) -> Any:
        """The exchange information of markets that the exchange does not have."""
        return {
            "timezone": "UTC",
            "serverTime": asked.time(self._venue.now_ns()),
            "rateLimits": [],
            "exchangeFilters": [],
            "assets": [],
            "symbols": [],
        }

    async def _balances(self, account: int) -> list[tuple[str, str, str, bool]]:
        """Asset, free and locked amount of each asset here, and whether both are zero. Without
        accounts (`ACCOUNTS=off`) there are none."""
        answer = await self._venue.trading.command(account, QueryBalances(0))
        reply = answer.reply
        assert isinstance(reply, Balances), reply
        if not reply.balances:
            return []
        held = {each.asset: (each.total_units, each.held_units) for each in reply.balances}
        found = []
        for asset, decimals in self._assets().items():
            total, locked = held.get(asset, (0, 0))
            axis = asset_axis(decimals)
            found.append((asset, axis.text(total - locked), axis.text(locked), not total))
        return found

    def _assets(self) -> dict[str, int]:
        """Each asset and its decimals, in the order of the instruments."""
        assets: dict[str, int] = {}
        for _, instrument in self._venue.symbols:
            assets[instrument.base] = instrument.base_decimals
            assets[instrument.quote] = instrument.quote_decimals
        return assets


def _first_rates(venue: FaceVenue) -> tuple[int, int]:
    """The fee rates of makers and takers of the first instrument."""
    for _, instrument in venue.symbols:
        return instrument.maker_fee_rate, instrument.taker_fee_rate
    return 0, 0


def _trade_fee(instrument: Instrument) -> dict[str, str]:
    return {
        "symbol": face_symbol(instrument.symbol),
        "makerCommission": rate_text(instrument.maker_fee_rate),
        "takerCommission": rate_text(instrument.taker_fee_rate),
    }
