// A session with @binance/spot.

'use strict';

const {
  FollowedBook, Steps, balancesOf, eventOf, idOf, marketsOf, orderOf, placeParameters, runLines,
  serve, tradeOf,
} = require('./stepwise');

class SpotSteps extends Steps {
  constructor(spot) {
    super();
    this.rest = spot.restAPI;
    this.spot = spot;
    this.seen = [];
  }

  async markets() {
    return marketsOf(await (await this.rest.exchangeInfo()).data());
  }

  async server_time() {
    return (await (await this.rest.time()).data()).serverTime;
  }

  async book({ symbol }) {
    return (await this.rest.depth({ symbol: idOf(symbol) })).data();
  }

  async place(terms) {
    return orderOf(await (await this.rest.newOrder(placeParameters(terms))).data());
  }

  async order({ symbol, id }) {
    const found = await this.rest.getOrder({ symbol: idOf(symbol), orderId: Number(id) });
    return orderOf(await found.data());
  }

  async open_orders({ symbol }) {
    const found = await this.rest.getOpenOrders({ symbol: idOf(symbol) });
    return (await found.data()).map(orderOf);
  }

  async all_orders({ symbol }) {
    const found = await this.rest.allOrders({ symbol: idOf(symbol) });
    return (await found.data()).map(orderOf);
  }

  async cancel({ symbol, id }) {
    const found = await this.rest.deleteOrder({ symbol: idOf(symbol), orderId: Number(id) });
    return orderOf(await found.data());
  }

  async replace({ symbol, id, side, quantity, price }) {
    const found = await this.rest.orderCancelReplace({
      ...placeParameters({ symbol, side, kind: 'GTC', quantity, price }),
      cancelReplaceMode: 'STOP_ON_FAILURE',
      cancelOrderId: Number(id),
    });
    return orderOf((await found.data()).newOrderResponse);
  }

  async own_trades({ symbol }) {
    return (await (await this.rest.myTrades({ symbol: idOf(symbol) })).data()).map(tradeOf);
  }

  async balances() {
    return balancesOf(await (await this.rest.getAccount()).data());
  }

  async candles({ symbol, interval }) {
    return (await this.rest.klines({ symbol: idOf(symbol), interval })).data();
  }

  async ticker({ symbol }) {
    const found = await (await this.rest.ticker24hr({ symbol: idOf(symbol) })).data();
    return {
      last: found.lastPrice, bid: found.bidPrice, ask: found.askPrice, volume: found.volume,
    };
  }

  async trades({ symbol }) {
    const found = await (await this.rest.getTrades({ symbol: idOf(symbol) })).data();
    return found.map((each) => [each.price, each.qty, each.isBuyerMaker ? 'sell' : 'buy']);
  }

  async requests({ count }) {
    for (let done = 0; done < count; done += 1) {
      await this.rest.getOpenOrders({ symbol: 'BTCUSDT' });
    }
    return count;
  }

  async follow_user() {
    const connection = await this.spot.websocketAPI.connect();
    const { stream } = await connection.userDataStreamSubscribeSignature();
    stream.on('message', (event) => this.seen.push(eventOf(event)));
  }

  user_events() {
    return this.seen;
  }

  async follow_book({ symbol }) {
    this.followed = new FollowedBook(
      async () => (await this.rest.depth({ symbol: idOf(symbol), limit: 1000 })).data());
    const connection = await this.spot.websocketStreams.connect();
    connection.on('open', () => this.followed.connected());
    const stream = connection.diffBookDepth({
      symbol: idOf(symbol).toLowerCase(), updateSpeed: '100ms',
    });
    stream.on('message', (event) => this.followed.take(event));
  }

  followed_book() {
    return this.followed.state();
  }
}

runLines('npm', '@binance/spot', ['spot']).then(({ spot }) => serve(new SpotSteps(spot)));
