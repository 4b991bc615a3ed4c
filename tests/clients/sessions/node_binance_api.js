// A session with node-binance-api, whose own depth cache keeps the book.

'use strict';

const {
  Steps, balancesOf, eventOf, idOf, marketsOf, orderOf, placeParameters, runLines, serve, tradeOf,
} = require('./stepwise');

// The client reads it for loopback, too, whatever no_proxy names.
delete process.env.https_proxy;

const REFUSED_MS = 3000;
const AGAIN_MS = 200;

class NodeBinanceSteps extends Steps {
  constructor(client) {
    super();
    this.client = client;
    this.seen = [];
    this.events = 0;
  }

  async markets() {
    return marketsOf(await this.client.exchangeInfo());
  }

  async server_time() {
    return (await this.client.time()).serverTime;
  }

  async book({ symbol }) {
    const found = await this.client.depth(idOf(symbol));
    const levels = (side) => side.map((each) => [each.price, each.quantity]);
    return { bids: levels(found.bids), asks: levels(found.asks) };
  }

  async place(terms) {
    const { symbol, side, type, quantity, price, ...others } = placeParameters(terms);
    return orderOf(await this.client.order(type, side, symbol, quantity, price, others));
  }

  async order({ symbol, id }) {
    return orderOf(await this.client.orderStatus(idOf(symbol), id));
  }

  async open_orders({ symbol }) {
    return (await this.client.openOrders(idOf(symbol))).map(orderOf);
  }

  async all_orders({ symbol }) {
    return (await this.client.allOrders(idOf(symbol))).map(orderOf);
  }

  async cancel({ symbol, id }) {
    return orderOf(await this.client.cancel(idOf(symbol), id));
  }

  async own_trades({ symbol }) {
    return (await this.client.myTrades(idOf(symbol))).map(tradeOf);
  }

  async balances() {
    return balancesOf(await this.client.account());
  }

  async candles({ symbol, interval }) {
    const found = await this.client.candlesticks(idOf(symbol), interval);
    return found.map((each) => [each.openTime, each.open, each.high, each.low, each.close,
      each.volume]);
  }

  async ticker({ symbol }) {
    const found = await this.client.prevDay(idOf(symbol));
    return {
      last: found.lastPrice, bid: found.bidPrice, ask: found.askPrice, volume: found.volume,
    };
  }

  async trades({ symbol }) {
    const found = await this.client.recentTrades(idOf(symbol));
    return found.map((each) => [each.price, each.qty, each.isBuyerMaker ? 'sell' : 'buy']);
  }

  async correct_clock() {
    await this.client.useServerTime();
  }

  restore_clock() {
    this.client.timeOffset = 0;
  }

  async requests({ count }) {
    for (let done = 0; done < count; done += 1) await this.client.openOrders('BTCUSDT');
    return count;
  }

  // Returns once it is subscribed; the client shows nothing of a refusal.
  follow_user() {
    return new Promise((resolve) => {
      setTimeout(resolve, REFUSED_MS);
      this.client.userData((event) => this.seen.push(eventOf(event)), null, null, resolve);
    });
  }

  user_events() {
    return this.seen;
  }

  follow_book({ symbol }) {
    // A snapshot that the exchange refuses is thrown where nothing catches it: the stream is opened
    // anew, and the snapshot read again.
    process.on('unhandledRejection', () => setTimeout(() => {
      this.client.terminate(this.client.depthCacheContext[idOf(symbol)].endpointId, true);
    }, AGAIN_MS));
    this.client.depthCacheStream([idOf(symbol)], () => { this.events += 1; }, 1000);
  }

  followed_book({ symbol }) {
    const found = this.client.getDepthCache(idOf(symbol));
    const levels = (side, sign) => Object.entries(side).sort((x, y) => sign * (x[0] - y[0]));
    return {
      bids: levels(found.bids, -1), asks: levels(found.asks, 1), events: this.events, faults: [],
    };
  }
}

runLines('npm', 'node-binance-api', ['client'])
  .then(({ client }) => serve(new NodeBinanceSteps(client)));
