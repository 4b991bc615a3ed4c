// What the instrument takes at present: a badge in the header, and while orders gather for an
// auction the price, volume and surplus that it would have now.

import { clockText, grouped, trimmed } from "./amount.js";
import { nowMs } from "./clock.js";
import { nextFrame, setText } from "./frame.js";

const WORDS = {
  open: "Open",
  post_only: "Post-only",
  cancel_only: "Cancel-only",
  halted: "Halted",
  auction: "Auction",
};

export class MarketState {
  // Null before it is known.
  state = null;
  #badge = document.getElementById("market-state");
  #auction = document.getElementById("auction");
  #cells = Object.fromEntries(["price", "quantity", "surplus"].map(
    (name) => [name, document.getElementById(`auction-${name}`)],
  ));
  #instrument = null;
  #until = null;
  #gives = null;

  show(instrument) {
    this.#instrument = instrument;
    this.state = this.#until = this.#gives = null;
    nextFrame(this.#draw);
  }

  // A message of type "state".
  take({ state, state_until: until, auction }) {
    this.state = state;
    this.#until = until;
    this.#gives = auction;
    nextFrame(this.#draw);
  }

  // Whether the best bid may be at the best ask, or above it.
  get mayBeCrossed() {
    return ["auction", "halted", "cancel_only"].includes(this.state);
  }

  #draw = () => {
    this.#badge.hidden = this.state === null;
    this.#badge.dataset.market = this.state ?? "";
    const until = this.#until ? ` until ${momentOf(this.#until)} UTC` : "";
    setText(this.#badge, this.state ? (WORDS[this.state] ?? this.state) + until : "");
    this.#auction.hidden = this.#gives === null;
    if (this.#gives === null) return;
    const { indicative_price: price, indicative_quantity: quantity } = this.#gives;
    const { surplus_side: side, surplus_quantity: surplus } = this.#gives;
    const { base } = this.#instrument;
    setText(this.#cells.price, price === null ? "none yet" : grouped(price));
    setText(this.#cells.quantity, `${grouped(trimmed(quantity))} ${base}`);
    setText(this.#cells.surplus, side === null ? "none"
      : `${side === "buy" ? "▲ buy" : "▼ sell"} ${grouped(trimmed(surplus))} ${base}`);
    this.#cells.surplus.dataset.trend = side === null ? "" : side === "buy" ? "up" : "down";
  };
}

// The time of day, with the day where that is not today.
function momentOf(timestamp) {
  const day = timestamp.slice(0, 10);
  const clock = clockText(timestamp);
  return day === new Date(nowMs()).toISOString().slice(0, 10) ? clock : `${day} ${clock}`;
}
