// A session with ccxt for JavaScript: the same unified calls as ccxt_steps.py, and its streams.

'use strict';

const { Steps, runLines, serve } = require('./stepwise');

const STATUSES = {
  closed: 'FILLED', canceled: 'CANCELED', expired: 'EXPIRED', rejected: 'REJECTED',
};
const pair = (symbol) => symbol.replace('-', '/');

const order = (made) => ({
  id: made.id,
  client_id: made.clientOrderId,
  status: STATUSES[made.status] || (made.filled ? 'PARTIALLY_FILLED' : 'NEW'),
  filled: String(made.filled),
  quantity: String(made.amount),
  price: String(made.price),
});

class CcxtSteps extends Steps {
  constructor(exchange) {
    super();
    this.exchange = exchange;
    this.seen = [];
    this.faults = [];
    this.events = 0;
  }

  async markets() {
    const found = {};
    for (const each of Object.values(await this.exchange.loadMarkets(true))) {
      found[`${each.base}-${each.quote}`] = {
        base: each.base,
        quote: each.quote,
        tick: String(each.precision.price),
        lot: this.exchange.numberToString(each.precision.amount),
        active: each.active,
      };
    }
    return found;
  }

  async server_time() {
    return this.exchange.fetchTime();
  }

  async book({ symbol }) {
    const found = await this.exchange.fetchOrderBook(pair(symbol), 100);
    return { bids: found.bids, asks: found.asks };
  }

  async place({ symbol, side, kind, ...terms }) {
    const named = {};
    if (kind === 'IOC' || kind === 'FOK') named.timeInForce = kind;
    if (kind === 'LIMIT_MAKER') named.postOnly = true;
    if (kind === 'STOP_LOSS_LIMIT') named.stopLossPrice = terms.stop_price;
    if (terms.quote_quantity) named.cost = terms.quote_quantity;
    if (terms.client_id) named.clientOrderId = terms.client_id;
    const number = (text) => (text === undefined ? undefined : Number(text));
    return order(await this.exchange.createOrder(
      pair(symbol), kind === 'MARKET' ? 'market' : 'limit', side, number(terms.quantity),
      number(terms.price), named));
  }

  async order({ symbol, id }) {
    return order(await this.exchange.fetchOrder(id, pair(symbol)));
  }

  async open_orders({ symbol }) {
    return (await this.exchange.fetchOpenOrders(pair(symbol))).map(order);
  }

  async all_orders({ symbol }) {
    return (await this.exchange.fetchOrders(pair(symbol))).map(order);
  }

  async cancel({ symbol, id }) {
    return order(await this.exchange.cancelOrder(id, pair(symbol)));
  }

  async replace({ symbol, id, side, quantity, price }) {
    return order(await this.exchange.editOrder(
      id, pair(symbol), 'limit', side, Number(quantity), Number(price)));
  }

  async own_trades({ symbol }) {
    return (await this.exchange.fetchMyTrades(pair(symbol))).map((each) => ({
      id: each.id,
      order: each.order,
      price: String(each.price),
      quantity: String(each.amount),
      fee: this.exchange.numberToString(each.fee.cost),
      fee_asset: each.fee.currency,
      is_buyer: each.side === 'buy',
      is_maker: each.takerOrMaker === 'maker',
    }));
  }

  async balances() {
    const found = await this.exchange.fetchBalance();
    return Object.fromEntries(Object.keys(found.total).map((asset) => [
      asset, { free: String(found.free[asset]), locked: String(found.used[asset]) },
    ]));
  }

  async candles({ symbol, interval }) {
    return this.exchange.fetchOHLCV(pair(symbol), interval);
  }

  async ticker({ symbol }) {
    const found = await this.exchange.fetchTicker(pair(symbol));
    return { last: found.last, bid: found.bid, ask: found.ask, volume: found.baseVolume };
  }

  async trades({ symbol }) {
    return (await this.exchange.fetchTrades(pair(symbol))).map(
      (each) => [each.price, each.amount, each.side]);
  }

  // The client's own pacing must not wait by a wrong clock.
  skew({ seconds }) {
    this.exchange.enableRateLimit = !seconds;
    super.skew({ seconds });
  }

  async correct_clock() {
    this.exchange.options.adjustForTimeDifference = true;
    await this.exchange.loadTimeDifference();
  }

  restore_clock() {
    this.exchange.options.adjustForTimeDifference = false;
    this.exchange.options.timeDifference = 0;
  }

  async requests({ count }) {
    this.exchange.enableRateLimit = false;
    for (let done = 0; done < count; done += 1) await this.exchange.fetchOpenOrders('BTC/USDT');
    return count;
  }

  async follow_user({ symbol }) {
    await this.exchange.loadMarkets();
    await this.exchange.authenticate({ type: 'spot' });
    this.forever(async () => {
      const found = await this.exchange.watchOrders(pair(symbol));
      this.seen.push(...found.map((each) => ({ event: 'order', ...order(each) })));
    });
    this.forever(async () => {
      await this.exchange.watchBalance();
      this.seen.push({ event: 'balance' });
    });
  }

  async forever(once) {
    for (;;) {
      try {
        await once();
      } catch (error) {
        this.faults.push(String(error));
        await new Promise((resolve) => { setTimeout(resolve, 200); });
      }
    }
  }

  user_events() {
    return this.seen;
  }

  async follow_book({ symbol }) {
    await this.exchange.watchOrderBook(pair(symbol));
    this.forever(async () => {
      await this.exchange.watchOrderBook(pair(symbol));
      this.events += 1;
    });
  }

  followed_book({ symbol }) {
    const found = this.exchange.orderbooks[pair(symbol)] || { bids: [], asks: [] };
    return {
      bids: [...found.bids].map((each) => [String(each[0]), String(each[1])]),
      asks: [...found.asks].map((each) => [String(each[0]), String(each[1])]),
      events: this.events,
      faults: this.faults,
    };
  }
}

runLines('ccxt', 'JavaScript', ['exchange']).then(
  ({ exchange }) => serve(new CcxtSteps(exchange)));
