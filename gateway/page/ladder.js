// The order book as a ladder: asks above, bids below, a bar for the depth up to each level. Rows
// are made once; a frame touches only what has changed in them.

import { grouped, textOf } from "./amount.js";
import { nextFrame, setText } from "./frame.js";

const ROW_PX = 20;
const FEWEST = 5;
const MOST = 25;
const NOT_LEVELS = 2;

export class Ladder {
  #table = document.getElementById("ladder");
  #seq = document.getElementById("ladder-seq");
  #asks = [];
  #bids = [];
  #gap = null;
  #book = null;
  #decimals = { price: 2, quantity: 0 };
  #own = new Set();

  // `choose(side, priceText)` is called when a level is clicked.
  constructor(choose) {
    this.#table.addEventListener("click", (event) => {
      const row = event.target.closest(".level");
      if (row?.shown.price) choose(row.shown.side, row.shown.price);
    });
    new ResizeObserver(() => this.#fit()).observe(this.#table);
    this.#fit();
  }

  // Shows this book from now on; `redraw` when it has changed.
  show(book, decimals) {
    this.#book = book;
    this.#decimals = decimals;
    this.redraw();
  }

  // Prices of the account's own orders, as "side price".
  mark(own) {
    this.#own = own;
    this.redraw();
  }

  redraw() {
    nextFrame(this.#draw);
  }

  #draw = () => {
    const book = this.#book;
    if (!book) {
      this.#clear();
      return;
    }
    if (book.seq === null) return;
    const count = this.#asks.length;
    const asks = book.asks.levels.slice(0, count);
    const bids = book.bids.levels.slice(0, count);
    const deepest = [sum(asks), sum(bids)].reduce((one, other) => (other > one ? other : one), 1n);
    this.#drawSide(this.#asks, asks, deepest);
    this.#drawSide(this.#bids, bids, deepest);
    const { bid, ask } = book;
    const spread = bid && ask ? ask.price - bid.price : null;
    setText(this.#gap, spread === null ? "one side is empty"
      : book.isCrossed ? "crossed until an auction trades"
        : `spread ${textOf(spread, this.#decimals.price)} · ${basisPoints(spread, bid, ask)} bp`);
    setText(this.#seq, `#${book.seq}`);
  };

  #clear() {
    this.#drawSide(this.#asks, [], 1n);
    this.#drawSide(this.#bids, [], 1n);
    setText(this.#gap, "");
    setText(this.#seq, "");
  }

  #drawSide(rows, levels, deepest) {
    let total = 0n;
    rows.forEach((row, index) => {
      const level = levels[index];
      total += level ? level.quantity : 0n;
      const price = level ? level.priceText : "";
      const share = level ? Number((1000n * total + deepest) / (2n * deepest)) / 500 : 0;
      const { shown } = row;
      if (shown.price !== price) setText(row.price, price && grouped(price));
      if (shown.quantity !== level?.quantityText) setText(row.quantity, level?.quantityText ?? "");
      if (shown.total !== total || shown.price !== price) {
        setText(row.total, level ? textOf(total, this.#decimals.quantity) : "");
      }
      if (shown.share !== share) row.bar.style.transform = `scaleX(${share})`;
      const own = level !== undefined && this.#own.has(`${shown.side} ${price}`);
      if (shown.own !== own) {
        setText(row.own, own ? "●" : "");
        row.own.title = own ? "You have an order here" : "";
      }
      Object.assign(shown, { price, quantity: level?.quantityText, total, share, own });
    });
  }

  #fit() {
    const room = Math.floor(this.#table.clientHeight / ROW_PX) - NOT_LEVELS;
    const count = Math.max(FEWEST, Math.min(MOST, Math.floor(room / 2)));
    if (count === this.#asks.length) return;
    this.#asks = Array.from({ length: count }, () => makeRow("sell"));
    this.#bids = Array.from({ length: count }, () => makeRow("buy"));
    const gap = element("div", "gap row");
    gap.setAttribute("role", "row");
    this.#gap = gap.appendChild(element("span", "number"));
    this.#gap.setAttribute("role", "cell");
    this.#table.replaceChildren(
      header(),
      group("Asks", [...this.#asks].reverse()),
      group("Spread", [gap]),
      group("Bids", this.#bids),
    );
    this.redraw();
  }
}

function header() {
  const row = element("div", "head row");
  row.setAttribute("role", "row");
  for (const name of ["", "Price", "Quantity", "Total"]) {
    const cell = row.appendChild(element("span", name ? "" : "own"));
    cell.setAttribute("role", "columnheader");
    cell.append(name || unseen("Own"));
  }
  return row;
}

function group(name, rows) {
  const made = element("div", "group");
  made.setAttribute("role", "rowgroup");
  made.setAttribute("aria-label", name);
  made.append(...rows);
  return made;
}

function makeRow(side) {
  const row = element("div", `level row ${side}`);
  row.setAttribute("role", "row");
  row.bar = row.appendChild(element("i", "bar"));
  row.bar.setAttribute("aria-hidden", "true");
  for (const name of ["own", "price", "quantity", "total"]) {
    row[name] = row.appendChild(element("span", `${name} number`));
    row[name].setAttribute("role", "cell");
  }
  row.shown = { side };
  return row;
}

function element(tag, className) {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}

function unseen(text) {
  const made = element("span", "unseen");
  made.textContent = text;
  return made;
}

function sum(levels) {
  return levels.reduce((total, level) => total + level.quantity, 0n);
}

function basisPoints(spread, bid, ask) {
  return ((20000 * Number(spread)) / Number(bid.price + ask.price)).toFixed(1);
}
