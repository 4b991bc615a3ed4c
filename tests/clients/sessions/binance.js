// A session with binance, by tiagosiebler.

'use strict';

const {
  FollowedBook, Steps, balancesOf, eventOf, idOf, marketsOf, orderOf, placeParameters, runLines,
  serve, tradeOf,
} = require('./stepwise');

class SiebSteps extends Steps {
  constructor(client, streams) {
    super();
    this.client = client;
    this.streams = streams;
    this.seen = [];
    streams.on('message', (event) => this.take(event));
    streams.on('reconnected', () => this.followed && this.followed.connected());
    streams.on('exception', () => {});
  }

  take(event) {
    const found = event.event || event.data || event;
    if (found.e === 'depthUpdate') this.followed.take(found);
    else if (found.e) this.seen.push(eventOf(found));
  }

  async markets() {
    return marketsOf(await this.client.getExchangeInfo());
  }

  // Not by getServerTime, which goes to Binance's own host whatever the base URL is.
  async server_time() {
    return (await this.client.get('api/v3/time')).serverTime;
  }

  async book({ symbol }) {
    return this.client.getOrderBook({ symbol: idOf(symbol) });
  }

  async place(terms) {
    return orderOf(await this.client.submitNewOrder(placeParameters(terms)));
  }

  async order({ symbol, id }) {
    return orderOf(await this.client.getOrder({ symbol: idOf(symbol), orderId: Number(id) }));
  }

  async open_orders({ symbol }) {
    return (await this.client.getOpenOrders({ symbol: idOf(symbol) })).map(orderOf);
  }

  async all_orders({ symbol }) {
    return (await this.client.getAllOrders({ symbol: idOf(symbol) })).map(orderOf);
  }

  async cancel({ symbol, id }) {
    return orderOf(await this.client.cancelOrder({ symbol: idOf(symbol), orderId: Number(id) }));
  }

  async replace({ symbol, id, side, quantity, price }) {
    const found = await this.client.replaceOrder({
      ...placeParameters({ symbol, side, kind: 'GTC', quantity, price }),
      cancelReplaceMode: 'STOP_ON_FAILURE',
      cancelOrderId: Number(id),
    });
    return orderOf(found.newOrderResponse);
  }

  async own_trades({ symbol }) {
    return (await this.client.getAccountTradeList({ symbol: idOf(symbol) })).map(tradeOf);
  }

  async balances() {
    return balancesOf(await this.client.getAccountInformation());
  }

  async candles({ symbol, interval }) {
    return this.client.getKlines({ symbol: idOf(symbol), interval });
  }

  async ticker({ symbol }) {
    const found = await this.client.get24hrChangeStatistics({ symbol: idOf(symbol) });
    return {
      last: found.lastPrice, bid: found.bidPrice, ask: found.askPrice, volume: found.volume,
    };
  }

  async trades({ symbol }) {
    const found = await this.client.getRecentTrades({ symbol: idOf(symbol) });
    return found.map((each) => [each.price, each.qty, each.isBuyerMaker ? 'sell' : 'buy']);
  }

  async correct_clock() {
    this.client.setTimeOffset((await this.server_time()) - Date.now());
  }

  restore_clock() {
    this.client.setTimeOffset(0);
  }

  async requests({ count }) {
    for (let done = 0; done < count; done += 1) {
      await this.client.getOpenOrders({ symbol: 'BTCUSDT' });
    }
    return count;
  }

  async follow_user() {
    await this.streams.subscribeSpotUserDataStream();
  }

  user_events() {
    return this.seen;
  }

  async follow_book({ symbol }) {
    this.followed = new FollowedBook(
      () => this.client.getOrderBook({ symbol: idOf(symbol), limit: 1000 }));
    await this.streams.subscribe([`${idOf(symbol).toLowerCase()}@depth@100ms`], 'main');
  }

  followed_book() {
    return this.followed.state();
  }
}

runLines('npm', 'binance', ['client', 'streams'])
  .then(({ client, streams }) => serve(new SiebSteps(client, streams)));
