// The last public trades, newest first. An arrow shows which side took: colour alone would not.

import { clockOf, grouped } from "./amount.js";
import { nextFrame } from "./frame.js";

const SHOWN = 60;

export class Tape {
  #table = document.getElementById("tape");
  #waiting = [];
  #rows = [];

  clear() {
    this.#waiting = [];
    this.#rows = [];
    this.#table.replaceChildren();
  }

  // Takes the next trade, of the stream or of REST.
  add({ price, quantity, aggressor_side: side, ts, timestamp }) {
    const timeMs = ts === undefined ? Date.parse(timestamp) : ts / 1000;
    this.#push({ price, quantity, side, time: clockOf(timeMs) });
  }

  // Trades before the next one are missing.
  addHole() {
    this.#push({ price: "some are missing", quantity: "", side: "hole", time: "" });
  }

  #push(trade) {
    this.#waiting.push(trade);
    if (this.#waiting.length > SHOWN) this.#waiting.shift();
    nextFrame(this.#draw);
  }

  #draw = () => {
    for (const trade of this.#waiting) {
      const row = this.#rows.length < SHOWN ? makeRow() : this.#rows.shift();
      row.className = `trade row ${trade.side}`;
      const arrow = { buy: "▲", sell: "▼", hole: "" }[trade.side];
      row.cells[0].data = trade.time;
      row.cells[1].data = trade.side === "hole" ? trade.price : `${arrow} ${grouped(trade.price)}`;
      row.cells[2].data = trade.quantity;
      this.#rows.push(row);
      this.#table.prepend(row);
    }
    this.#waiting = [];
  };
}

function makeRow() {
  const row = document.createElement("div");
  row.setAttribute("role", "row");
  row.cells = ["time", "price", "quantity"].map((name) => {
    const cell = row.appendChild(document.createElement("span"));
    cell.className = `${name} number`;
    cell.setAttribute("role", "cell");
    return cell.appendChild(document.createTextNode(""));
  });
  return row;
}
