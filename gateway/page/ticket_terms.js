// The terms of each type of order: the fields of the ticket it has, the request they make, and
// whether the instrument takes it in the state it is in.

import { decimalOf, Unclear } from "./amount.js";
import { nowMs } from "./clock.js";

const IMMEDIATE = ["ioc", "fok"];
const WAITS = ["stop_price", "time_in_force", "quantity"];
const FIELDS = {
  limit: ["time_in_force", "price", "quantity", "post_only", "display_quantity"],
  market: ["measure"],
  stop: WAITS,
  stop_limit: [...WAITS, "price", "display_quantity"],
  take_profit: WAITS,
  take_profit_limit: [...WAITS, "price", "display_quantity"],
};
const ALWAYS = ["self_trade_prevention", "client_order_id"];
const NOT_SENT = ["measure", "client_order_id"];
const HOUR_MS = 3600000;
const AMOUNTS = ["price", "stop_price", "quantity", "quote_quantity", "display_quantity"];
const TAKES = {
  post_only: "Post-only: only limit orders that rest and orders that wait for a price are taken.",
  cancel_only: "Cancel-only: only cancels are taken.",
  halted: "Halted: only cancels are taken.",
  auction: "Auction: limit and market orders gather until it trades them at one price. "
    + "Immediate and post-only orders, and orders by amount, are not taken.",
};

// The names of the fields that the order in the form has.
export function fieldsOf(form) {
  const { order_type: type, time_in_force: time, measure } = form;
  const fields = new Set([...FIELDS[type.value], ...ALWAYS]);
  if (type.value === "market") fields.add(measure.value);
  if (!fields.has("time_in_force")) return fields;
  if (time.value === "gtd") fields.add("expire_time");
  if (IMMEDIATE.includes(time.value)) {
    fields.delete("post_only");
    fields.delete("display_quantity");
  }
  return fields;
}

// Shows the fields that the order has, and offers what it may have in this state of the market.
export function arrange(form, state) {
  const { order_type: type, time_in_force: time, expire_time: expiry } = form;
  const hasLimit = FIELDS[type.value].includes("price");
  for (const option of time.options) {
    const isImmediate = IMMEDIATE.includes(option.value);
    option.hidden = !hasLimit && isImmediate;
    option.disabled = option.hidden || (isImmediate && isGathering(type.value, state));
  }
  if (time.selectedOptions[0]?.hidden !== false) time.value = "gtc";
  for (const option of type.options) {
    option.disabled = state === "post_only" && option.value === "market";
  }
  for (const option of form.measure.options) {
    option.disabled = state === "auction" && option.value === "quote_quantity";
  }
  if (time.value === "gtd" && !expiry.value) {
    expiry.value = new Date(nowMs() + HOUR_MS).toISOString().slice(0, 16);
  }
  form.dataset.type = type.value;
  const fields = fieldsOf(form);
  for (const field of form.querySelectorAll("[data-field]")) {
    const name = field.dataset.field;
    field.hidden = name !== "order_type" && !fields.has(name);
  }
}

// The orders taken in this state of the market, in words; empty where all are.
export function takenIn(state) {
  return TAKES[state] ?? "";
}

// Whether the order in the form is taken in this state. The choice is kept: an immediate
// order must not become one that rests because the state has changed.
export function isTaken(form, state) {
  if (state === "halted" || state === "cancel_only") return false;
  const { order_type: { value: type }, time_in_force: { value: time }, measure } = form;
  const isImmediate = fieldsOf(form).has("time_in_force") && IMMEDIATE.includes(time);
  if (isImmediate && isGathering(type, state)) return false;
  if (state === "post_only") return type !== "market";
  if (state !== "auction") return true;
  if (type === "market") return measure.value === "quantity";
  return !(fieldsOf(form).has("post_only") && form.post_only.checked);
}

// Whether orders of this type only rest now: those that wait for a price do so in any state.
function isGathering(type, state) {
  return type === "limit" && (state === "auction" || state === "post_only");
}

// The body of the request, without the client order id. Throws `Unclear`, with the field's name as
// its `field`, where an amount may be meant in two ways.
export function orderOf(form, symbol) {
  const order = { symbol, side: form.side.value, order_type: form.order_type.value };
  for (const name of fieldsOf(form)) {
    const term = NOT_SENT.includes(name) ? undefined : termOf(form[name]);
    if (term !== undefined) order[name] = term;
  }
  return order;
}

// The amount in a field as plain decimal text, or empty. Throws `Unclear` with its `field`.
export function amountIn(control) {
  try {
    return decimalOf(control.value);
  } catch (fault) {
    if (fault instanceof Unclear) fault.field = control.name;
    throw fault;
  }
}

// As amountIn, and empty where the text is unclear.
export function clearAmountIn(control) {
  try {
    return amountIn(control);
  } catch (fault) {
    if (fault instanceof Unclear) return "";
    throw fault;
  }
}

// Shows an amount that was entered as it will be sent.
export function settle(control) {
  if (AMOUNTS.includes(control.name)) control.value = clearAmountIn(control) || control.value;
}

// The folded fields that differ from their defaults, in words.
export function extrasOf(form) {
  const fields = fieldsOf(form);
  const { post_only: postOnly, display_quantity: display, self_trade_prevention: own } = form;
  const extras = [];
  if (fields.has("post_only") && postOnly.checked) extras.push("post-only");
  if (fields.has("display_quantity") && display.value.trim()) extras.push("iceberg");
  if (own.selectedIndex > 0) extras.push(`own: ${own.selectedOptions[0].text.toLowerCase()}`);
  if (form.client_order_id.value.trim()) extras.push("named");
  return extras.join(", ");
}

// A control's value as the API has it; undefined where it is empty or at its default.
function termOf(control) {
  if (control.type === "checkbox") return control.checked || undefined;
  if (control.type === "datetime-local") return Date.parse(`${control.value}Z`) || undefined;
  if (control.tagName === "SELECT" && control.selectedIndex === 0) return undefined;
  if (AMOUNTS.includes(control.name)) return amountIn(control) || undefined;
  return control.value.trim() || undefined;
}
