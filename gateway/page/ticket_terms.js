// What each type of order says: the fields of the ticket it has, and the request they make.

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

// Shows the fields that the order has, and offers the times in force that it may have.
export function arrange(form) {
  const { order_type: type, time_in_force: time, expire_time: expiry } = form;
  const hasLimit = FIELDS[type.value].includes("price");
  for (const option of time.options) {
    option.hidden = option.disabled = !hasLimit && IMMEDIATE.includes(option.value);
  }
  if (time.selectedOptions[0]?.disabled !== false) time.value = "gtc";
  if (time.value === "gtd" && !expiry.value) {
    expiry.value = new Date(Date.now() + HOUR_MS).toISOString().slice(0, 16);
  }
  form.dataset.type = type.value;
  const fields = fieldsOf(form);
  for (const field of form.querySelectorAll("[data-field]")) {
    const name = field.dataset.field;
    field.hidden = name !== "order_type" && !fields.has(name);
  }
}

// The body of the request, without the client order id.
export function orderOf(form, symbol) {
  const order = { symbol, side: form.side.value, order_type: form.order_type.value };
  for (const name of fieldsOf(form)) {
    const said = NOT_SENT.includes(name) ? undefined : termOf(form[name]);
    if (said !== undefined) order[name] = said;
  }
  return order;
}

// What folded fields say other than usual, in words.
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

// A control's value as the API has it; undefined where it says nothing, or what goes without.
function termOf(control) {
  if (control.type === "checkbox") return control.checked || undefined;
  if (control.type === "datetime-local") return Date.parse(`${control.value}Z`) || undefined;
  if (control.tagName === "SELECT" && control.selectedIndex === 0) return undefined;
  return control.value.trim() || undefined;
}
