// The last price, and the figures of the last 24 hours.

import { grouped, trimmed, unitsOf } from "./amount.js";
import { nextFrame, setText } from "./frame.js";

const TITLE_EVERY_MS = 1000;

export class Ticker {
  #cells = Object.fromEntries(["last", "change", "high", "low", "volume", "trades"].map(
    (name) => [name, document.getElementById(`ticker-${name}`)],
  ));
  #instrument = null;
  #day = null;
  #last = null;
  #up = null;
  #titledMs = 0;

  show(instrument) {
    this.#instrument = instrument;
    this.#day = this.#last = this.#up = null;
    nextFrame(this.#draw);
  }

  // A message of type "ticker".
  take(day) {
    this.#day = day;
    if (this.#last === null) this.#last = day.last;
    nextFrame(this.#draw);
  }

  // A trade has happened at this price.
  traded(price) {
    if (this.#last !== null && price !== this.#last) {
      this.#up = unitsOf(price) > unitsOf(this.#last);
    }
    this.#last = price;
    nextFrame(this.#draw);
  }

  #draw = () => {
    const day = this.#day;
    const { last, change, high, low, volume, trades } = this.#cells;
    const arrow = this.#up === null ? "" : this.#up ? "▲ " : "▼ ";
    setText(last, this.#last === null ? "–" : arrow + grouped(this.#last));
    last.dataset.trend = this.#up === null ? "" : this.#up ? "up" : "down";
    const known = day?.open && this.#last;
    const [now, open] = known ? [this.#last, day.open].map((text) => Number(unitsOf(text))) : [];
    const moved = known ? 100 * (now / open - 1) : null;
    const sign = moved === null || Math.abs(moved) < 0.005 ? "" : moved > 0 ? "+" : "−";
    setText(change, moved === null ? "–" : `${sign}${Math.abs(moved).toFixed(2)} %`);
    change.dataset.trend = { "": "", "+": "up", "−": "down" }[sign];
    setText(high, day?.high ? grouped(day.high) : "–");
    setText(low, day?.low ? grouped(day.low) : "–");
    const base = this.#instrument?.base ?? "";
    setText(volume, day ? `${grouped(trimmed(day.volume))} ${base}` : "–");
    setText(trades, day ? grouped(String(day.trades)) : "–");
    this.#title();
  };

  #title() {
    const now = Date.now();
    if (now - this.#titledMs < TITLE_EVERY_MS || !this.#instrument) return;
    this.#titledMs = now;
    const price = this.#last === null ? "" : `${grouped(this.#last)} `;
    document.title = `${price}${this.#instrument.symbol} · Crossbook`;
  }
}
