// Puts the page together: one instrument, one account, their streams, and the views of both.

import { AccountField } from "./account_field.js";
import { Api, readiness } from "./api.js";
import { decimalsOf } from "./amount.js";
import { Balances } from "./balances.js";
import { Book, Broken } from "./book.js";
import { Candles } from "./candles.js";
import { ClockNote } from "./clock.js";
import { Connection } from "./connection.js";
import { DepthChart } from "./depth_chart.js";
import { FaultsNote } from "./faults_note.js";
import { Ladder } from "./ladder.js";
import { MarketState } from "./market_state.js";
import { OwnOrders } from "./own_orders.js";
import { OwnTables } from "./own_tables.js";
import { SignIn } from "./sign_in.js";
import { Stream } from "./stream.js";
import { Tape } from "./tape.js";
import { onThemeChange } from "./theme.js";
import { Ticker } from "./ticker.js";
import { Ticket } from "./ticket.js";
import { Trades } from "./trades.js";

const INTERVALS = ["1s", "1m", "5m", "15m", "1h", "4h", "1d"];
const AGAIN_MS = 1000;

const picked = new URLSearchParams(location.search);
const api = new Api();
const connection = new Connection();
const ladder = new Ladder((side, price) => ticket.price(price, side === "sell" ? "buy" : "sell"));
const depthChart = new DepthChart();
const marketState = new MarketState();
const tape = new Tape();
const ticker = new Ticker();
const candles = new Candles(api);
const ticket = new Ticket(
  api, () => ({ bid: book.bid?.priceText, ask: book.ask?.priceText }),
  (asset) => balances.available(asset));
const balances = new Balances(api, () => ticket.showAvailable());
const tables = new OwnTables(api);
const own = new OwnOrders(api, ownChanged);
const accountField = new AccountField(api, showAccount);

let instruments = new Map();
let instrument = null;
let book = new Book();
// Whether the book is that of the present connection: a snapshot of it has come.
let bookLoaded = false;
let trades = null;
let interval = INTERVALS.includes(picked.get("interval")) ? picked.get("interval") : "1s";
let marketStreams = [];
let candleStream = null;
let orderStream = null;
// What needs an API key: "none", "accounts", or "all".
let keysFor = "none";

// The market of an instrument

function showMarket(symbol) {
  instrument = instruments.get(symbol);
  for (const stream of marketStreams) stream.end();
  book = new Book();
  bookLoaded = false;
  tape.clear();
  trades?.end();
  trades = new Trades(api, symbol, tape);
  for (const view of [ticker, ticket, marketState]) view.show(instrument);
  ladder.show(book, instrument.decimals);
  depthChart.show(book, instrument);
  marketStreams = [openBook(), openTrades(), openTicker()];
  ownChanged();
  showCandles();
}

function openBook() {
  const current = book;
  const stream = new Stream({
    path: () => `/ws/market-data/${instrument.symbol}`,
    greet: greetMarket,
    changed: ({ phase }) => {
      if (phase === "lost") bookLoaded = false;
      connection.refresh();
    },
    receive: (message) => {
      if (message.type === "state") {
        marketState.take(message);
        current.mayBeCrossed = marketState.mayBeCrossed;
        ticket.market(marketState.state);
        return;
      }
      if (message.type !== "snapshot" && message.type !== "l2_update") return;
      try {
        if (message.type === "snapshot") current.load(message);
        else current.apply(message);
      } catch (fault) {
        if (!(fault instanceof Broken)) throw fault;
        stream.restart(fault.message);
        return;
      }
      bookLoaded = true;
      if (connection.state !== "live") connection.refresh();
      ladder.redraw();
      depthChart.redraw();
    },
  });
  return stream;
}

function openTrades() {
  const current = trades;
  return new Stream({
    path: () => `/ws/trades/${instrument.symbol}`,
    greet: greetMarket,
    changed: ({ phase, live }) => {
      if (phase === "open" && live) current.join();
      connection.refresh();
    },
    receive: (message) => {
      if (message.type === "resync") {
        current.join();
      } else if (message.type === "trade") {
        current.take(message);
        ticker.traded(message.price);
      }
    },
  });
}

function openTicker() {
  return new Stream({
    path: () => `/ws/ticker/${instrument.symbol}`,
    greet: greetMarket,
    changed: () => connection.refresh(),
    receive: (message) => {
      if (message.type === "ticker") ticker.take(message);
    },
  });
}

function showCandles() {
  candleStream?.end();
  candles.show(instrument, interval);
  let wasLost = false;
  candleStream = new Stream({
    path: () => `/ws/candles/${instrument.symbol}?interval=${interval}`,
    greet: greetMarket,
    changed: ({ phase }) => {
      if (phase === "open" && wasLost) candles.loadPast();
      wasLost = phase === "lost";
      connection.refresh();
    },
    receive: (message) => candles.take(message),
  });
  followConnection();
}

// The orders of an account; of nobody where that is null

function showAccount(account) {
  orderStream?.end();
  orderStream = null;
  own.clear();
  balances.restart();
  if (account === null) {
    followConnection();
    return;
  }
  if (api.signer === null) keep("account", account);
  orderStream = new Stream({
    path: () => `/ws/orders?account=${account}`,
    greet: (path) => api.signer?.signIn(path) ?? null,
    beats: false,
    changed: ({ phase }) => {
      // An idle stream of orders is silent: it is dead when the others are.
      if (phase === "lost") own.problem = "connection lost";
      ownChanged();
      connection.refresh();
    },
    receive: (message) => {
      if (message.type === "execution") own.take(message);
      else if (message.type === "welcome" || message.type === "resync") own.load();
      else return;
      balances.refresh();
    },
  });
  followConnection();
}

// The first message to a stream of market data.
function greetMarket(path) {
  return keysFor === "all" && api.signer ? api.signer.signIn(path) : null;
}

function ownChanged() {
  tables.redraw(own);
  const here = [...own.orders.values()]
    .filter((order) => order.working && order.symbol === instrument?.symbol);
  ladder.mark(new Set(here.map(({ side, price }) => `${side} ${price}`)));
}

function followConnection() {
  const [bookStream, ...others] = marketStreams;
  if (!bookStream || !candleStream) return;
  const streams = [...others, candleStream, orderStream].filter(Boolean);
  connection.follow(bookStream, streams, () => bookLoaded);
}

// Choices, kept in the address so that a page can be reloaded and sent to somebody

function keep(name, value) {
  picked.set(name, value);
  history.replaceState(null, "", `?${picked}`);
}

function offerIntervals() {
  const box = document.getElementById("intervals");
  for (const each of INTERVALS) {
    const label = box.appendChild(document.createElement("label"));
    const input = label.appendChild(document.createElement("input"));
    Object.assign(input, { type: "radio", name: "interval", value: each });
    input.checked = each === interval;
    label.appendChild(document.createElement("span")).textContent = each;
  }
  box.addEventListener("change", ({ target }) => {
    interval = target.value;
    keep("interval", interval);
    showCandles();
  });
}

function offerInstruments(chosen) {
  const select = document.getElementById("instrument");
  select.replaceChildren(...[...instruments.keys()].map((symbol) => new Option(symbol, symbol)));
  if (chosen === null) {
    const none = new Option("choose", "", true, true);
    none.disabled = true;
    select.prepend(none);
  }
  select.value = chosen ?? "";
  select.addEventListener("change", () => {
    document.getElementById("instrument-note").hidden = true;
    keep("symbol", select.value);
    showMarket(select.value);
  });
}

// The instrument that the address names, the first one where it names none; null, with a note,
// where it names another or several.
function instrumentOf(symbols) {
  if (!symbols.length) return instruments.keys().next().value;
  if (symbols.length === 1 && instruments.has(symbols[0])) return symbols[0];
  const note = document.getElementById("instrument-note");
  note.textContent = `Instrument ${symbols.join(" and ")}: not traded here. Choose one.`;
  note.hidden = false;
  return null;
}

async function listInstruments() {
  for (;;) {
    try {
      return (await api.getPublic("/instruments")).instruments.map((each) => ({
        ...each,
        decimals: { price: decimalsOf(each.tick_size), quantity: decimalsOf(each.lot_size) },
      }));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

// The part that chooses the account: the account field, or the sign-in where keys are needed.
// Market data that needs a key comes only once one has signed in.
async function chooseIdentity() {
  let answer = null;
  while ((answer = await readiness()) === null) {
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
  keysFor = answer.keys;
  document.getElementById("keys-note").hidden = keysFor !== "none";
  if (keysFor === "none") return () => accountField.begin(picked.getAll("account"));
  let shown = false;
  const signIn = new SignIn(api, (account) => {
    if (shown) showAccount(account);
  });
  const begun = signIn.begin();
  return async () => {
    await begun;
    shown = true;
    showAccount(api.account);
  };
}

async function start() {
  offerIntervals();
  onThemeChange(() => depthChart.redraw());
  new FaultsNote().begin();
  new ClockNote().begin();
  const identity = chooseIdentity();
  instruments = new Map((await listInstruments()).map((each) => [each.symbol, each]));
  const chosen = instrumentOf(picked.getAll("symbol"));
  offerInstruments(chosen);
  await candles.ready;
  if (chosen === null) connection.rest();
  else showMarket(chosen);
  (await identity)();
}

start();
