// The order ticket. What the gateway refuses stands beside the field it names. An order keeps its
// client order id until its outcome is known, so that sending it again cannot enter it twice.

import { grouped, product, trimmed, Unclear } from "./amount.js";
import * as faults from "./field_faults.js";
import { setText } from "./frame.js";
import {
  arrange, clearAmountIn, extrasOf, fieldsOf, isTaken, orderOf, settle, takenIn,
} from "./ticket_terms.js";

const NAME_BYTES = 9;
const PRICES = ["price", "stop_price"];
const AMOUNTS = ["quantity", "quote_quantity", "display_quantity"];

export class Ticket {
  #form = document.getElementById("ticket-form");
  #submit = document.getElementById("ticket-submit");
  #answer = document.getElementById("ticket-answer");
  #worth = document.getElementById("ticket-worth");
  #extras = document.getElementById("ticket-extras");
  #available = document.getElementById("ticket-available");
  #taken = document.getElementById("ticket-state");
  #api;
  #best;
  #has;
  #instrument = null;
  #unsettled = null;
  #state = null;
  #sending = false;

  // `best()` gives the best prices now, {bid, ask}, as text or undefined; `has(asset)` what the
  // account may spend, or null.
  constructor(api, best, has) {
    this.#api = api;
    this.#best = best;
    this.#has = has;
    faults.prepare(this.#form);
    this.#refresh();
    this.#form.addEventListener("input", () => this.#refresh());
    this.#form.addEventListener("change", ({ target }) => {
      if (target.name === "order_type") this.#forget();
      settle(target);
      this.#refresh();
    });
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
      for (const name of [...PRICES, ...AMOUNTS]) this.#form[name].value = "";
    }
    this.#instrument = instrument;
    this.#state = null;
    for (const unit of this.#form.querySelectorAll("[data-unit]")) {
      unit.textContent = instrument[unit.dataset.unit];
    }
    for (const name of PRICES) this.#form[name].placeholder = `steps of ${instrument.tick_size}`;
    this.#form.quantity.placeholder = `steps of ${instrument.lot_size}`;
    this.#forget();
    this.#refresh();
  }

  // The instrument is in this state now; null where that is not known.
  market(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#refresh();
  }

  // Puts a price into the ticket, and the side that would trade with it if one is given.
  price(text, side) {
    if (this.#form.order_type.value === "market") this.#form.order_type.value = "limit";
    const name = fieldsOf(this.#form).has("price") ? "price" : "stop_price";
    this.#form[name].value = text;
    if (side) this.#form.side.value = side;
    this.#refresh();
  }

  // What the account has of the asset that the order would spend, where that is known.
  showAvailable() {
    if (!this.#instrument) return;
    const asset = this.#form.side.value === "buy" ? this.#instrument.quote : this.#instrument.base;
    const text = this.#has(asset);
    this.#available.classList.toggle("unknown", text === null);
    const words = text === null ? "" : `${grouped(trimmed(text))} ${asset}`;
    setText(this.#available.querySelector(".number"), words);
  }

  #refresh() {
    arrange(this.#form, this.#state);
    setText(this.#extras, extrasOf(this.#form));
    this.#allow();
    const side = this.#form.side.value;
    const hasQuantity = fieldsOf(this.#form).has("quantity");
    const quantity = hasQuantity ? clearAmountIn(this.#form.quantity) : "";
    this.#submit.dataset.side = side;
    const what = [side === "buy" ? "Buy" : "Sell", quantity, this.#instrument?.base];
    setText(this.#submit, what.filter(Boolean).join(" "));
    const worth = this.#worthOf(quantity);
    const quote = this.#instrument?.quote ?? "";
    setText(this.#worth, worth === null ? "–" : `${grouped(worth)} ${quote}`);
    this.showAvailable();
  }

  #worthOf(quantity) {
    const fields = fieldsOf(this.#form);
    if (fields.has("price")) return product(clearAmountIn(this.#form.price), quantity);
    return fields.has("quote_quantity")
      ? product(clearAmountIn(this.#form.quote_quantity), "1") : null;
  }

  // Offers to send the order only where there is an instrument that takes it.
  #allow() {
    const isRefused = !isTaken(this.#form, this.#state);
    setText(this.#taken, takenIn(this.#state));
    this.#taken.hidden = !this.#taken.textContent;
    this.#taken.dataset.level = isRefused ? "lost" : "";
    this.#submit.disabled = this.#sending || !this.#instrument || isRefused;
  }

  async #enter() {
    if (this.#submit.disabled) return;
    this.#forget();
    let order;
    try {
      order = this.#order();
    } catch (fault) {
      if (!(fault instanceof Unclear)) throw fault;
      this.#unclear(fault);
      return;
    }
    this.#sending = true;
    this.#allow();
    try {
      this.#accepted(await this.#api.post("/orders", order));
      this.#unsettled = null;
    } catch (refusal) {
      this.#refused(refusal);
      if (!refusal.unknown && refusal.status !== 503) this.#unsettled = null;
    } finally {
      this.#sending = false;
      this.#allow();
    }
  }

  #unclear(fault) {
    this.#answer.dataset.kind = "bad";
    faults.show(this.#form, fault);
    setText(this.#answer, "Not sent.");
  }

  #order() {
    const order = orderOf(this.#form, this.#instrument.symbol);
    const { client_order_id: name } = this.#form;
    const key = JSON.stringify([this.#api.account, order, name.value]);
    if (this.#unsettled?.key !== key) {
      this.#unsettled = { key, name: name.value.trim() || freshName() };
    }
    return { ...order, client_order_id: this.#unsettled.name };
  }

  #accepted(answer) {
    const status = answer.order_status.replaceAll("_", " ").toLowerCase();
    const fills = answer.average_price === null ? ""
      : `, ${answer.filled_quantity} at ${grouped(answer.average_price)} on average`;
    this.#answer.dataset.kind = "good";
    setText(this.#answer, `${answer.order_id}: ${status}${fills}.`);
    this.#form.client_order_id.value = "";
    setText(this.#extras, extrasOf(this.#form));
  }

  #refused(refusal) {
    this.#answer.dataset.kind = "bad";
    if (faults.show(this.#form, refusal)) {
      setText(this.#answer, `Refused: ${refusal.code}.`);
      return;
    }
    const what = refusal.field ? `${refusal.field}: ${refusal.message}` : refusal.message;
    setText(this.#answer, refusal.unknown || refusal.status === 503
      ? `${what}. It may be sent again as it is: it will not be entered twice.`
      : `${refusal.code}: ${what}`);
  }

  #forget() {
    setText(this.#answer, "");
    faults.forget(this.#form);
  }
}

function freshName() {
  const bytes = crypto.getRandomValues(new Uint8Array(NAME_BYTES));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
