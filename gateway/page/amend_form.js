// New terms of one open order, in a row of its own below that of the order. Sent is only what was
// changed, so that what the order did meanwhile stays as it is.

import { sum, trimmed, Unclear } from "./amount.js";
import * as faults from "./field_faults.js";
import { setText } from "./frame.js";
import { amountIn, settle } from "./ticket_terms.js";

const COLUMNS = 7;
const TERMS = { price: "Price", quantity: "Total quantity", stop_price: "Trigger" };

export class AmendForm {
  row = document.createElement("tr");
  // The order that is amended; null where none is.
  order = null;
  #form = document.createElement("form");
  #answer = document.createElement("p");
  #save = button("submit", "Save");
  #shown = {};
  #api;
  #closed;

  // `closed(order)` is called when it is done with an order that may still be there.
  constructor(api, closed) {
    this.#api = api;
    this.#closed = closed;
    this.row.className = "amend";
    const cell = this.row.appendChild(document.createElement("td"));
    cell.colSpan = COLUMNS;
    cell.append(this.#form);
    Object.assign(this.#form, { noValidate: true, autocomplete: "off", className: "terms" });
    this.#answer.setAttribute("role", "status");
    const leave = button("button", "Close");
    const buttons = document.createElement("div");
    buttons.className = "ways";
    buttons.append(this.#save, leave);
    this.#form.append(...Object.entries(TERMS).map(field), buttons, this.#answer);
    faults.prepare(this.#form);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#form.addEventListener("change", ({ target }) => settle(target));
    leave.addEventListener("click", () => this.#leave());
    this.#form.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.#leave();
    });
  }

  // Asks for new terms of this order; its row is to be put into the table.
  open(order) {
    this.order = order;
    this.#shown = {
      price: order.price,
      quantity: trimmed(sum(order.filled_quantity, order.remaining_quantity)),
      stop_price: order.working ? null : order.stop_price,
    };
    this.#forget();
    this.#form.setAttribute("aria-label", `Amend ${order.side} order ${order.order_id}`);
    for (const [name, text] of Object.entries(this.#shown)) {
      this.#form[name].value = text ?? "";
      this.#form[name].closest(".field").hidden = text === null;
    }
  }

  focus() {
    this.row.scrollIntoView({ block: "nearest" });
    this.#form.querySelector(".field:not([hidden]) input").select();
  }

  // The order has ended.
  drop() {
    this.order = null;
    this.row.remove();
  }

  #leave() {
    const { order } = this;
    this.drop();
    this.#closed(order);
  }

  async #send() {
    const { order } = this;
    this.#forget();
    let terms;
    try {
      terms = Object.keys(TERMS).map((name) => [name, amountIn(this.#form[name])])
        .filter(([name, text]) => text && text !== this.#shown[name]);
    } catch (fault) {
      if (!(fault instanceof Unclear)) throw fault;
      this.#refused(fault);
      return;
    }
    if (!terms.length) {
      this.#leave();
      return;
    }
    this.#save.disabled = true;
    try {
      await this.#api.patch(`/orders/${order.order_id}`, Object.fromEntries(terms));
      if (this.order === order) this.#leave();
    } catch (refusal) {
      if (this.order === order) this.#refused(refusal);
    } finally {
      this.#save.disabled = false;
    }
  }

  #refused(refusal) {
    const beside = faults.show(this.#form, refusal);
    setText(this.#answer, beside ? "" : `Not amended: ${refusal.message}`);
  }

  #forget() {
    setText(this.#answer, "");
    faults.forget(this.#form);
  }
}

function field([name, text]) {
  const made = document.createElement("div");
  made.className = "field";
  made.dataset.field = name;
  const label = made.appendChild(document.createElement("label"));
  const input = made.appendChild(document.createElement("input"));
  Object.assign(input, { id: `amend-${name}`, name, inputMode: "decimal", className: "number" });
  Object.assign(label, { htmlFor: input.id, textContent: text });
  return made;
}

function button(type, text) {
  const made = document.createElement("button");
  Object.assign(made, { type, textContent: text });
  return made;
}
