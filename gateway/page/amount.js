// Decimal text and the whole numbers it stands for. Text of one instrument has a fixed number of
// decimals, so that its digits are a number of smallest steps: a BigInt, which is always exact.

export function unitsOf(text) {
  return BigInt(text.replace(".", ""));
}

export function textOf(units, decimals) {
  const digits = String(units).padStart(decimals + 1, "0");
  return decimals ? `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}` : digits;
}

export function decimalsOf(step) {
  return step.includes(".") ? step.length - step.indexOf(".") - 1 : 0;
}

// With a thin space between thousands, as people read it.
export function grouped(text) {
  const [whole, fraction] = text.split(".");
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, "\u2009");
  return fraction === undefined ? spaced : `${spaced}.${fraction}`;
}

// Without the zeros that only fill up to a fixed precision.
export function trimmed(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

// The exact product of two decimal texts, or null where one of them is no decimal.
export function product(one, other) {
  if (!isDecimal(one) || !isDecimal(other)) return null;
  const decimals = decimalsOf(one) + decimalsOf(other);
  return trimmed(textOf(unitsOf(one) * unitsOf(other), decimals));
}

// The exact sum of two decimal texts of the same precision.
export function sum(one, other) {
  return textOf(unitsOf(one) + unitsOf(other), decimalsOf(one));
}

export function isDecimal(text) {
  return /^\d+(\.\d+)?$/.test(text);
}

// 12:34:56 of ISO 8601 text in UTC.
export function clockText(timestamp) {
  return timestamp.slice(11, 19);
}

export function clockOf(milliseconds) {
  return clockText(new Date(milliseconds).toISOString());
}
