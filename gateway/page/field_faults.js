// What is wrong with a field, beside the field.

import { setText } from "./frame.js";

// Each element with `data-field` gets room for the words, which belong to its control.
export function prepare(form) {
  for (const field of form.querySelectorAll("[data-field]")) {
    const control = field.querySelector("input, select");
    const error = document.createElement("span");
    error.className = "error";
    error.id = `${control.id}-error`;
    error.setAttribute("role", "alert");
    field.append(error);
    control.setAttribute("aria-describedby", error.id);
  }
}

// Shows a refusal beside the field it names; false where that field is not in sight.
export function show(form, refusal) {
  const field = form.querySelector(`[data-field="${refusal.field}"]:not([hidden])`);
  if (!field) return false;
  const control = field.querySelector("input, select");
  control.setAttribute("aria-invalid", "true");
  setText(field.querySelector(".error"), refusal.message);
  const folded = field.closest("details");
  if (folded) folded.open = true;
  control.focus();
  return true;
}

export function forget(form) {
  for (const control of form.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
  }
  for (const error of form.querySelectorAll(".error")) setText(error, "");
}
