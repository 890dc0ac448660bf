// Errors of forms: a summary that takes the focus, and the same words at the field.

import { byId, fill, make, show } from "./dom.js";

/** Shows these errors, each `{field, text}`; `prefix` is that of the summary's ids. */
export function showErrors(prefix, fields, errors) {
  for (const field of fields) {
    const error = errors.find((one) => one.field === field);
    const place = byId(`${field}-error`);
    fill(place, error?.text ?? "");
    show(place, Boolean(error));
    if (error) byId(field).setAttribute("aria-invalid", "true");
    else byId(field).removeAttribute("aria-invalid");
  }
  const summary = byId(`${prefix}-errors`);
  const items = errors.map(({ field, text }) => make("li", {}, field ? jump(field, text) : text));
  fill(byId(`${prefix}-errors-list`), ...items);
  show(summary, errors.length > 0);
  if (errors.length > 0) summary.focus();
}

/** A link that moves the focus to a field. */
export function jump(id, text) {
  const go = (event) => {
    event.preventDefault();
    byId(id).focus();
  };
  return make("a", { href: `#${id}`, on: { click: go } }, text);
}

/** Marks a button as busy, without taking the focus from it. */
export function busy(button, words) {
  const before = button.textContent;
  button.setAttribute("aria-disabled", "true");
  button.textContent = words;
  return () => {
    button.removeAttribute("aria-disabled");
    button.textContent = before;
  };
}

export function isBusy(button) {
  return button.getAttribute("aria-disabled") === "true";
}
