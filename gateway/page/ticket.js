// The order ticket. What the gateway refuses stands beside the field it names. An order keeps its
// client order id until its outcome is known, so that sending it again cannot enter it twice.

import { grouped, product } from "./amount.js";
import { setText } from "./frame.js";

const NAME_BYTES = 9;

export class Ticket {
  #form = document.getElementById("ticket-form");
  #submit = document.getElementById("ticket-submit");
  #answer = document.getElementById("ticket-answer");
  #worth = document.getElementById("ticket-worth");
  #api;
  #best;
  #instrument = null;
  #unsettled = null;

  // `best()` gives the best prices now, {bid, ask}, as text or undefined.
  constructor(api, best) {
    this.#api = api;
    this.#best = best;
    for (const field of this.#form.querySelectorAll(".field")) addErrorText(field);
    this.#form.addEventListener("input", () => this.#refresh());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter();
    });
    this.#form.addEventListener("click", ({ target }) => {
      const price = this.#best()[target.dataset.price];
      if (price) this.price(price);
    });
  }

  show(instrument) {
    if (this.#instrument && this.#instrument.symbol !== instrument.symbol) {
      this.#form.price.value = this.#form.quantity.value = "";
    }
    this.#instrument = instrument;
    for (const unit of this.#form.querySelectorAll("[data-unit]")) {
      unit.textContent = instrument[unit.dataset.unit];
    }
    this.#form.price.placeholder = `steps of ${instrument.tick_size}`;
    this.#form.quantity.placeholder = `steps of ${instrument.lot_size}`;
    this.#forget();
    this.#refresh();
  }

  // Puts a price into the ticket, and the side that would trade with it if one is given.
  price(text, side) {
    this.#form.price.value = text;
    if (side) this.#form.side.value = side;
    if (this.#form.order_type.value === "market") this.#form.order_type.value = "limit";
    this.#refresh();
  }

  #refresh() {
    const { side, order_type: type, price, quantity } = this.#form;
    const isMarket = type.value === "market";
    price.disabled = isMarket;
    for (const button of this.#form.querySelectorAll("[data-price]")) button.disabled = isMarket;
    this.#submit.dataset.side = side.value;
    const verb = side.value === "buy" ? "Buy" : "Sell";
    const what = [verb, quantity.value.trim(), this.#instrument?.base];
    setText(this.#submit, what.filter(Boolean).join(" "));
    const worth = isMarket ? null : product(price.value.trim(), quantity.value.trim());
    const unit = this.#instrument?.quote ?? "";
    setText(this.#worth, worth === null ? "–" : `${grouped(worth)} ${unit}`);
  }

  async #enter() {
    const order = this.#order();
    this.#forget();
    this.#submit.disabled = true;
    try {
      this.#accepted(await this.#api.post("/orders", order));
      this.#unsettled = null;
    } catch (refusal) {
      this.#refused(refusal);
      if (!refusal.unknown && refusal.status !== 503) this.#unsettled = null;
    } finally {
      this.#submit.disabled = false;
    }
  }

  #order() {
    const { side, order_type: type, price, quantity, client_order_id: name } = this.#form;
    const order = { symbol: this.#instrument.symbol, side: side.value, order_type: type.value };
    order.quantity = quantity.value.trim();
    if (type.value !== "market") order.price = price.value.trim();
    for (const field of ["price", "quantity"]) if (order[field] === "") delete order[field];
    const said = JSON.stringify([this.#api.account, order, name.value]);
    if (this.#unsettled?.said !== said) {
      this.#unsettled = { said, name: name.value.trim() || freshName() };
    }
    return { ...order, client_order_id: this.#unsettled.name };
  }

  #accepted(answer) {
    const status = answer.order_status.replace("_", " ").toLowerCase();
    const fills = answer.average_price === null ? ""
      : `, ${answer.filled_quantity} at ${grouped(answer.average_price)} on average`;
    this.#answer.dataset.kind = "good";
    setText(this.#answer, `${answer.order_id}: ${status}${fills}.`);
    this.#form.client_order_id.value = "";
  }

  #refused(refusal) {
    const field = this.#form.querySelector(`[data-field="${refusal.field}"]`);
    this.#answer.dataset.kind = "bad";
    if (field) {
      const input = field.querySelector("input, select");
      input.setAttribute("aria-invalid", "true");
      setText(field.querySelector(".error"), refusal.message);
      setText(this.#answer, `Refused: ${refusal.code}.`);
      input.focus();
      return;
    }
    const what = refusal.field ? `${refusal.field}: ${refusal.message}` : refusal.message;
    setText(this.#answer, refusal.unknown || refusal.status === 503
      ? `${what}. It may be sent again as it is: it will not be entered twice.`
      : `${refusal.code}: ${what}`);
  }

  #forget() {
    setText(this.#answer, "");
    for (const input of this.#form.querySelectorAll("[aria-invalid]")) {
      input.removeAttribute("aria-invalid");
    }
    for (const error of this.#form.querySelectorAll(".error")) setText(error, "");
  }
}

function addErrorText(field) {
  const error = document.createElement("span");
  error.className = "error";
  error.id = `ticket-${field.dataset.field}-error`;
  error.setAttribute("role", "alert");
  field.append(error);
  field.querySelector("input, select").setAttribute("aria-describedby", error.id);
}

function freshName() {
  const bytes = crypto.getRandomValues(new Uint8Array(NAME_BYTES));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
