"""The instruments that a client knows."""

from crossbook.client.answers import Ack, Reject
from crossbook.client.known_instruments import KnownInstruments
from crossbook.client.pending import Unanswered
from crossbook.client.request import new_order
from crossbook.common.instruments import example
from crossbook.common.messages import entry

BTC = "BTC-USDT"
ORDER = new_order(BTC, "buy", quantity_lots=1, price_ticks=100)


def test_a_list_makes_its_instruments_and_their_assets_known() -> None:
    known = KnownInstruments()
    assert (known.by_symbol, known.has(""), known.has(BTC)) == (None, False, False)
    known.receive(Unanswered(entry.ListInstruments(1), True, "late"))
    known.receive(entry.Reject(1, 16, "", "busy"))
    assert known.by_symbol is None
    known.receive(entry.Instruments(1, [example()]))
    assert (known.has(""), known.has(BTC), known.has("ETH-USDT")) == (True, True, False)
    assert known.by_symbol == {BTC: example()}
    assert known.balance(entry.Balance("BTC", 1, 0)).decimals == 8
    assert known.balance(entry.Balance("XRP", 1, 0)).decimals is None


def test_answers_of_a_batch_get_the_instrument_of_their_request() -> None:
    known = KnownInstruments()
    known.receive(entry.Instruments(1, [example()]))
    ack = known.answer(entry.Ack(1, 2, 2, 1, "", 1, 0), ORDER)
    assert isinstance(ack, Ack)
    assert (ack.instrument, ack.request) == (example(), ORDER)
    assert isinstance(known.answer(entry.Reject(1, 10, "price", ""), ORDER), Reject)
