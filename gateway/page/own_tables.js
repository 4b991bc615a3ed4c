// The account's open orders and fills as tables; a row is made once and changed where it differs.

import { clockText, grouped, trimmed } from "./amount.js";
import { nextFrame, setText } from "./frame.js";

const ORDERS_SHOWN = 200;

export class OwnTables {
  #orders = document.getElementById("orders");
  #fills = document.getElementById("fills");
  #count = document.getElementById("orders-count");
  #note = document.getElementById("orders-note");
  #cancelAll = document.getElementById("cancel-all");
  #rows = new Map();
  #own = null;
  #api;

  constructor(api) {
    this.#api = api;
    this.#orders.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) this.#cancel(button, `/orders/${button.dataset.order}`);
    });
    this.#cancelAll.addEventListener("click", () => this.#cancel(this.#cancelAll, "/orders"));
  }

  redraw(own) {
    this.#own = own;
    nextFrame(this.#draw);
  }

  #draw = () => {
    const { orders, fills, problem } = this.#own;
    this.#drawOrders([...orders.values()].reverse().slice(0, ORDERS_SHOWN));
    this.#fills.replaceChildren(...fills.map(fillRow));
    document.getElementById("orders-empty").hidden = orders.size > 0;
    document.getElementById("fills-empty").hidden = fills.length > 0;
    setText(this.#count, orders.size ? String(orders.size) : "");
    setText(this.#note, problem && `not complete: ${problem}`);
    if (!this.#cancelAll.hasAttribute("aria-busy")) this.#cancelAll.disabled = orders.size === 0;
  };

  #drawOrders(orders) {
    const kept = new Map();
    const rows = orders.map((order) => {
      const row = this.#rows.get(order.order_id) ?? orderRow(order);
      setText(row.cells[3], order.price === null ? "market" : grouped(order.price));
      setText(row.cells[4], trimmed(order.remaining_quantity));
      setText(row.cells[5], trimmed(order.filled_quantity));
      kept.set(order.order_id, row);
      return row;
    });
    for (const [id, row] of this.#rows) if (!kept.has(id)) row.remove();
    // Moving a row that is in its place would take the focus from its button.
    rows.forEach((row, index) => {
      const there = this.#orders.children[index];
      if (there !== row) this.#orders.insertBefore(row, there ?? null);
    });
    this.#rows = kept;
  }

  async #cancel(button, path) {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      await this.#api.delete(path);
    } catch (refusal) {
      // An order that has ended meanwhile leaves the table by its own report.
      if (refusal.status !== 404) setText(this.#note, `not cancelled: ${refusal.message}`);
    } finally {
      button.removeAttribute("aria-busy");
      button.disabled = false;
    }
  }
}

function orderRow({ order_id: id, symbol, side, price, created_at: created }) {
  const row = document.createElement("tr");
  row.dataset.order = id;
  row.append(cell(clockText(created), "number"), cell(symbol), sideCell(side),
    cell("", "number right"), cell("", "number right"), cell("", "number right"));
  const button = document.createElement("button");
  button.type = "button";
  button.className = "cancel";
  button.dataset.order = id;
  button.textContent = "Cancel";
  const what = `${side} order ${id} of ${symbol} at ${price ?? "market"}`;
  button.setAttribute("aria-label", `Cancel ${what}`);
  row.append(cell(button, "right"));
  return row;
}

function fillRow({ symbol, side, price, quantity, fee, fee_asset: asset, liquidity, timestamp }) {
  const row = document.createElement("tr");
  row.append(cell(clockText(timestamp), "number"), cell(symbol), sideCell(side),
    cell(grouped(price), "number right"), cell(trimmed(quantity), "number right"),
    cell(`${trimmed(fee)} ${asset}`, "number right"), cell(liquidity));
  return row;
}

function sideCell(side) {
  return cell(side === "buy" ? "▲ buy" : "▼ sell", side);
}

function cell(content, className = "") {
  const made = document.createElement("td");
  made.className = className;
  made.append(content);
  return made;
}
