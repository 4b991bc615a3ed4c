// A session with binance-api-node.

'use strict';

const {
  FollowedBook, Steps, balancesOf, eventOf, idOf, marketsOf, orderOf, placeParameters, runLines,
  serve, tradeOf,
} = require('./stepwise');

class NodeSteps extends Steps {
  constructor(client) {
    super();
    this.client = client;
    this.corrected = {};
    this.seen = [];
  }

  async markets() {
    return marketsOf(await this.client.exchangeInfo());
  }

  async server_time() {
    return this.client.time();
  }

  async book({ symbol }) {
    const found = await this.client.book({ symbol: idOf(symbol) });
    const levels = (side) => side.map((each) => [each.price, each.quantity]);
    return { bids: levels(found.bids), asks: levels(found.asks) };
  }

  async place(terms) {
    return orderOf(await this.client.order({ ...placeParameters(terms), ...this.corrected }));
  }

  async order({ symbol, id }) {
    return orderOf(await this.client.getOrder({ symbol: idOf(symbol), orderId: id }));
  }

  async open_orders({ symbol }) {
    const found = await this.client.openOrders({ symbol: idOf(symbol), ...this.corrected });
    return found.map(orderOf);
  }

  async all_orders({ symbol }) {
    return (await this.client.allOrders({ symbol: idOf(symbol) })).map(orderOf);
  }

  async cancel({ symbol, id }) {
    return orderOf(await this.client.cancelOrder({ symbol: idOf(symbol), orderId: id }));
  }

  async replace({ symbol, id, side, quantity, price }) {
    const found = await this.client.updateOrder({
      ...placeParameters({ symbol, side, kind: 'GTC', quantity, price }), cancelOrderId: id,
    });
    return orderOf(found.newOrderResponse);
  }

  async own_trades({ symbol }) {
    return (await this.client.myTrades({ symbol: idOf(symbol) })).map(tradeOf);
  }

  async balances() {
    return balancesOf(await this.client.accountInfo());
  }

  async candles({ symbol, interval }) {
    const found = await this.client.candles({ symbol: idOf(symbol), interval });
    return found.map((each) => [each.openTime, each.open, each.high, each.low, each.close,
      each.volume]);
  }

  async ticker({ symbol }) {
    const found = await this.client.dailyStats({ symbol: idOf(symbol) });
    return {
      last: found.lastPrice, bid: found.bidPrice, ask: found.askPrice, volume: found.volume,
    };
  }

  async trades({ symbol }) {
    const found = await this.client.trades({ symbol: idOf(symbol) });
    return found.map((each) => [each.price, each.qty, each.isBuyerMaker ? 'sell' : 'buy']);
  }

  correct_clock() {
    this.corrected = { useServerTime: true };
  }

  restore_clock() {
    this.corrected = {};
  }

  async requests({ count }) {
    for (let done = 0; done < count; done += 1) {
      await this.client.openOrders({ symbol: 'BTCUSDT' });
    }
    return count;
  }

  async follow_user() {
    // The client moves the kind of an event, and adds one when its connection opens.
    await this.client.ws.user(({ type, ...event }) => {
      if (type !== 'open') this.seen.push(eventOf({ e: type, ...event }));
    }, false);
  }

  user_events() {
    return this.seen;
  }

  follow_book({ symbol }) {
    this.followed = new FollowedBook(async () => {
      const found = await this.client.book({ symbol: idOf(symbol), limit: 1000 });
      const levels = (side) => side.map((each) => [each.price, each.quantity]);
      return { ...found, bids: levels(found.bids), asks: levels(found.asks) };
    });
    this.client.ws.depth(`${idOf(symbol)}@100ms`, (event) => {
      // The client connects again by itself and shows no sign of it but a new first event.
      const { lastSeen } = this.followed;
      if (lastSeen && event.U !== lastSeen + 1 && this.gapMayBe) this.followed.connected();
      this.followed.take(event);
    }, false);
  }

  expect_gap() {
    this.gapMayBe = true;
  }

  followed_book() {
    return this.followed.state();
  }
}

runLines('npm', 'binance-api-node', ['client']).then(({ client }) => serve(new NodeSteps(client)));
