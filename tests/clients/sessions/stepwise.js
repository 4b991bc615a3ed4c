// What every session script of Node shares, as stepwise.py does for those of Python.
//
// A script reads one request a line, does the step, and prints one line of JSON. The client is made
// by the lines of its page in docs/guide/binance, with the address and the key replaced.

'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');

const DOCS = path.join(__dirname, '..', '..', '..', 'docs', 'guide', 'binance');
const HOST = '127.0.0.1:8000';
const KEY = 'demo-1';
const SECRET = 'demo-secret-1';
const TRUE_NOW = Date.now;

// Before a client is loaded: ccxt keeps the function that it finds then.
let skewMs = 0;
Date.now = () => TRUE_NOW() + skewMs;
globalThis.Date = class extends Date {
  constructor(...given) {
    super(...(given.length ? given : [Date.now()]));
  }
};

function argument(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}

// The lines below a heading of a page, for the exchange and the key that are given.
function linesOf(page, heading) {
  const text = fs.readFileSync(path.join(DOCS, `${page}.md`), 'utf8');
  const below = text.split(`\n## ${heading}\n`)[1].split('\n## ')[0];
  const found = below.match(/^```javascript\n([^]*?)^```/m);
  const host = argument('host');
  const lines = found[1].replaceAll(HOST, host)
    .replaceAll(`'${KEY}'`, `'${argument('key', KEY)}'`)
    .replaceAll(`'${SECRET}'`, `'${argument('secret', SECRET)}'`);
  const others = [...lines.matchAll(/\w+:\/\/([^/"']+)/g)].filter((each) => each[1] !== host);
  if (others.length) throw new Error(`${page}.md names other hosts: ${others}`);
  return lines;
}

// The names that the lines of a page define.
async function runLines(page, heading, names) {
  const AsyncFunction = (async () => {}).constructor;
  const body = `${linesOf(page, heading)}\nreturn { ${names.join(', ')} };`;
  return new AsyncFunction('require', body)(require);
}

function answer(step, result, error) {
  const document = { step };
  if (error === undefined) {
    document.result = result === undefined ? null : result;
  } else {
    document.error = { class: '', classes: [], text: '' };
    for (let each = error; each; each = Object.getPrototypeOf(each)) {
      if (each.constructor) document.error.classes.push(each.constructor.name);
    }
    document.error.class = document.error.classes[0] || typeof error;
    const code = error && error.code !== undefined ? `code=${error.code}: ` : '';
    document.error.text = `${code}${(error && error.message) || error}`;
  }
  const text = JSON.stringify(document, (_, value) =>
    typeof value === 'bigint' ? value.toString() : value);
  process.stdout.write(`${text}\n`);
}

// Do steps, which are the methods of an object, until standard input ends.
async function serve(steps) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    try {
      if (!steps[request.step]) {
        const missing = new Error(`there is no step ${request.step}`);
        missing.constructor = { name: 'AttributeError' };
        throw missing;
      }
      answer(request.step, await steps[request.step](request.arguments));
    } catch (error) {
      answer(request.step, undefined, error);
    }
  }
  process.exit(0);
}

// The steps that are the same for every client.
class Steps {
  skew({ seconds }) {
    skewMs = Math.round(seconds * 1000);
  }

  restore_clock() {}
}

const idOf = (symbol) => symbol.replace('-', '');

function orderOf(document) {
  const found = { id: String(document.orderId), client_id: document.clientOrderId };
  if (document.status === undefined) return found;
  return {
    ...found,
    status: document.status,
    filled: String(document.executedQty),
    quantity: String(document.origQty),
    price: String(document.price),
  };
}

function eventOf(event) {
  if (event.e !== 'executionReport') return { event: event.e };
  return {
    event: event.x, id: String(event.i), status: event.X, last: event.l, filled: event.z,
    fee: event.n, fee_asset: event.N,
  };
}

const tradeOf = (document) => ({
  id: String(document.id),
  order: String(document.orderId),
  price: String(document.price),
  quantity: String(document.qty),
  fee: String(document.commission),
  fee_asset: document.commissionAsset,
  is_buyer: document.isBuyer,
  is_maker: document.isMaker,
});

function marketsOf(document) {
  const found = {};
  for (const each of document.symbols) {
    const filters = Object.fromEntries(each.filters.map((one) => [one.filterType, one]));
    found[`${each.baseAsset}-${each.quoteAsset}`] = {
      base: each.baseAsset,
      quote: each.quoteAsset,
      tick: String(filters.PRICE_FILTER.tickSize),
      lot: String(filters.LOT_SIZE.stepSize),
      active: each.status === 'TRADING',
    };
  }
  return found;
}

const balancesOf = (document) => Object.fromEntries(document.balances.map((each) => [
  each.asset, { free: String(each.free), locked: String(each.locked) },
]));

// An order of a kind in the names of POST order. `kind` is GTC, IOC, FOK, or a type.
function placeParameters({ symbol, side, kind, ...terms }) {
  const isTime = ['GTC', 'IOC', 'FOK'].includes(kind);
  const found = { symbol: idOf(symbol), side: side.toUpperCase(), type: isTime ? 'LIMIT' : kind };
  if (isTime) found.timeInForce = kind;
  if (kind.endsWith('_LIMIT')) found.timeInForce = 'GTC';
  const names = {
    quantity: 'quantity', price: 'price', stop_price: 'stopPrice',
    quote_quantity: 'quoteOrderQty', client_id: 'newClientOrderId',
  };
  for (const [name, value] of Object.entries(terms)) found[names[name]] = value;
  return found;
}

// A book kept from a stream of differences as Binance documents it. An event must begin where the
// last one of its connection ended; every breach is in `faults`.
class FollowedBook {
  constructor(readSnapshot) {
    this.readSnapshot = readSnapshot;
    this.sides = { b: new Map(), a: new Map() };
    this.held = [];
    this.last = 0;
    this.lastSeen = 0;
    this.reading = false;
    this.events = 0;
    this.snapshots = 0;
    this.faults = [];
  }

  connected() {
    this.held = [];
    this.last = 0;
    this.lastSeen = 0;
  }

  take(event) {
    this.events += 1;
    if (this.lastSeen && event.U !== this.lastSeen + 1) {
      this.faults.push(`U=${event.U} after u=${this.lastSeen}`);
    }
    this.lastSeen = event.u;
    if (this.last) {
      this.apply(event);
      return;
    }
    this.held.push(event);
    if (!this.reading) this.begin();
  }

  async begin() {
    this.reading = true;
    try {
      const snapshot = await this.readSnapshot();
      this.snapshots += 1;
      if (!this.held.length || snapshot.lastUpdateId + 1 < this.held[0].U) return;
      this.sides = { b: new Map(snapshot.bids), a: new Map(snapshot.asks) };
      this.last = snapshot.lastUpdateId;
      for (const event of this.held.splice(0)) this.apply(event);
    } catch (error) {
      this.held = [];
    } finally {
      this.reading = false;
    }
  }

  apply(event) {
    if (event.u <= this.last) return;
    if (event.U > this.last + 1) this.faults.push(`U=${event.U} after the book of ${this.last}`);
    for (const name of ['b', 'a']) {
      for (const [price, quantity] of event[name]) {
        if (Number(quantity)) this.sides[name].set(price, quantity);
        else if (quantity !== '0.00000000') this.faults.push(`removed by ${quantity}`);
        else this.sides[name].delete(price);
      }
    }
    this.last = event.u;
  }

  state() {
    const sorted = (side, sign) => [...side].sort((x, y) => sign * (x[0] - y[0]));
    return {
      bids: sorted(this.sides.b, -1),
      asks: sorted(this.sides.a, 1),
      number: this.last,
      events: this.events,
      snapshots: this.snapshots,
      faults: this.faults,
    };
  }
}

module.exports = {
  FollowedBook, Steps, balancesOf, eventOf, idOf, marketsOf, orderOf, placeParameters, runLines,
  serve, tradeOf,
};
