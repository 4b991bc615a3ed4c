// The account's open orders and fills as tables; a row is made once and changed where it differs.

import { AmendForm } from "./amend_form.js";
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
  #amend;

  constructor(api) {
    this.#api = api;
    this.#amend = new AmendForm(api, ({ order_id: id }) => {
      this.#rows.get(id)?.querySelector(".change").focus();
    });
    this.#orders.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      const id = button?.closest("[data-order]")?.dataset.order;
      if (button?.matches(".cancel")) this.#cancel(button, `/orders/${id}`);
      if (button?.matches(".change")) this.#change(this.#own.orders.get(id));
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
      setText(row.cells[2].lastChild, (order.order_type ?? "").replaceAll("_", " "));
      setText(row.cells[3].firstChild, waitText(order));
      setText(row.cells[3].lastChild, order.price === null ? "market" : grouped(order.price));
      setText(row.cells[4], trimmed(order.remaining_quantity));
      setText(row.cells[5], trimmed(order.filled_quantity));
      kept.set(order.order_id, row);
      return row;
    });
    for (const [id, row] of this.#rows) if (!kept.has(id)) row.remove();
    const amended = this.#amend.order && kept.get(this.#amend.order.order_id);
    if (amended) rows.splice(rows.indexOf(amended) + 1, 0, this.#amend.row);
    else this.#amend.drop();
    // Moving a row that is in its place would take the focus from what is in it.
    rows.forEach((row, index) => {
      const there = this.#orders.children[index];
      if (there !== row) this.#orders.insertBefore(row, there ?? null);
    });
    this.#rows = kept;
  }

  #change(order) {
    if (!order) return;
    this.#amend.open(order);
    this.#rows.get(order.order_id).after(this.#amend.row);
    this.#amend.focus();
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
  const typed = sideCell(side);
  typed.append(" ", remark());
  const priced = cell(remark(), "number right");
  priced.append(" ", document.createElement("span"));
  row.append(cell(clockText(created), "number"), cell(symbol), typed, priced,
    cell("", "number right"), cell("", "number right"));
  const what = `${side} order ${id} of ${symbol} at ${price ?? "market"}`;
  const buttons = cell(actionButton("change", "Amend", what), "right");
  buttons.append(actionButton("cancel", "Cancel", what));
  row.append(buttons);
  return row;
}

function actionButton(className, text, what) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", className, textContent: text });
  made.setAttribute("aria-label", `${text} ${what}`);
  return made;
}

// What an order waits for, or waited for.
function waitText({ working, stop_price: trigger }) {
  if (trigger === null) return working ? "" : "waits for the auction";
  return `${working ? "triggered at" : "waits for"} ${grouped(trigger)}`;
}

function remark() {
  const made = document.createElement("small");
  made.className = "remark";
  return made;
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
