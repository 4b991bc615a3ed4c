// The order book of one instrument, kept from a snapshot and the updates behind it. Each message
// is checked against the one before (prev_seq), the checksum and the rule that a book is never
// crossed while its instrument trades; a `Broken` book is to be loaded anew and not to be shown.

import { unitsOf } from "./amount.js";
import { crc32 } from "./crc32.js";

const CHECKSUM_LEVELS = 10;

export class Broken extends Error {}

class Side {
  // Levels best first: {price, quantity, priceText, quantityText}, the first two in smallest steps.
  levels = [];

  constructor(sign) {
    this.sign = sign;
  }

  load(rows) {
    this.levels = rows.map(([price, quantity]) => levelOf(price, quantity));
  }

  set(priceText, quantityText) {
    const price = unitsOf(priceText);
    const at = this.#place(price);
    const known = this.levels[at]?.price === price;
    if (unitsOf(quantityText) === 0n) {
      if (known) this.levels.splice(at, 1);
    } else if (known) {
      this.levels[at] = levelOf(priceText, quantityText);
    } else {
      this.levels.splice(at, 0, levelOf(priceText, quantityText));
    }
  }

  #place(price) {
    let low = 0;
    let high = this.levels.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.levels[middle].price - price) * this.sign > 0n) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export class Book {
  seq = null;
  // Whether the state of the instrument lets bids and asks cross, as a call phase does.
  mayBeCrossed = false;
  bids = new Side(1n);
  asks = new Side(-1n);

  load(snapshot) {
    this.bids.load(snapshot.bids);
    this.asks.load(snapshot.asks);
    this.seq = snapshot.seq;
    this.#check(snapshot.checksum);
  }

  apply(update) {
    if (this.seq === null) throw new Broken("an update before a snapshot");
    if (update.prev_seq !== this.seq) {
      throw new Broken(`update ${update.seq} follows ${update.prev_seq}, not ${this.seq}`);
    }
    for (const [price, quantity] of update.bids) this.bids.set(price, quantity);
    for (const [price, quantity] of update.asks) this.asks.set(price, quantity);
    this.seq = update.seq;
    this.#check(update.checksum);
  }

  get bid() {
    return this.bids.levels[0];
  }

  get ask() {
    return this.asks.levels[0];
  }

  checksum() {
    const top = [
      ...this.asks.levels.slice(0, CHECKSUM_LEVELS),
      ...this.bids.levels.slice(0, CHECKSUM_LEVELS),
    ];
    return crc32(top.map((level) => digits(level.priceText) + digits(level.quantityText)).join(""));
  }

  get isCrossed() {
    return Boolean(this.bid && this.ask && this.bid.price >= this.ask.price);
  }

  #check(checksum) {
    const seq = this.seq;
    const faulty = this.isCrossed && !this.mayBeCrossed ? "crossed"
      : checksum !== this.checksum() ? "different from its checksum" : null;
    if (faulty) {
      this.seq = null;
      throw new Broken(`the book at ${seq} is ${faulty}`);
    }
  }
}

function levelOf(priceText, quantityText) {
  return { price: unitsOf(priceText), quantity: unitsOf(quantityText), priceText, quantityText };
}

function digits(text) {
  return text.replace(".", "").replace(/^0+/, "");
}
