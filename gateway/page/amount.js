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

const LONGEST = 40;
const SPACES = "[ \\u00a0\\u2007\\u2009\\u202f]";
const SPACED = new RegExp(`^[1-9]\\d{0,2}(${SPACES}\\d{3})+(\\.\\d+)?$`);
const COMMAS = /^[1-9]\d{0,2}(,\d{3})+(\.\d+)?$/;

// An amount that cannot be meant in one way only.
export class Unclear extends Error {}

// The plain decimal that a person typed or pasted: as it is, or with thousands set apart by the
// spaces the page itself shows, or by commas. Empty text stays empty. Throws `Unclear` rather than
// guess whether a lone comma sets thousands or decimals apart.
export function decimalOf(entered) {
  const text = entered.trim().replace(/^[▲▼]\s*/, "");
  if (!text || isDecimal(text)) return short(text);
  if (SPACED.test(text)) return short(text.replace(new RegExp(SPACES, "g"), ""));
  if (COMMAS.test(text) && (text.includes(".") || text.split(",").length > 2)) {
    return short(text.replaceAll(",", ""));
  }
  const shown = `"${text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text}"`;
  if (COMMAS.test(text)) {
    const [whole, rest] = text.split(",");
    throw new Unclear(`${shown} may mean ${whole}${rest} or ${whole}.${rest}: write one of them`);
  }
  if (/^\d+,\d+$/.test(text)) {
    throw new Unclear(`${shown}: decimals follow a point, as in ${text.replace(",", ".")}`);
  }
  throw new Unclear(`${shown} is not a number such as 61000.5`);
}

function short(text) {
  if (text.length <= LONGEST) return text;
  throw new Unclear(`${text.length} characters, at most ${LONGEST} are taken`);
}

// 12:34:56 of ISO 8601 text in UTC.
export function clockText(timestamp) {
  return timestamp.slice(11, 19);
}

export function clockOf(milliseconds) {
  return clockText(new Date(milliseconds).toISOString());
}
