// What the ballots of several kinds are made of.

import { bdi, make } from "../dom.js";
import { t } from "../text.js";

/** The title of an option, or its id where it has none. */
export function titleOf(option) {
  return option.title || option.id;
}

/** Lists longer than this get a field that narrows them down. */
const FILTER_FROM = 13;

/** A field that hides the rows whose titles do not hold what is typed; marked ones stay. */
export function filterField(prefix, rows) {
  if (rows.length < FILTER_FROM) return null;
  const id = `${prefix}-filter`;
  const narrow = ({ target }) => {
    const wanted = target.value.trim().toLocaleLowerCase();
    for (const { element, title, isMarked } of rows) {
      element.hidden = !isMarked() && !title.toLocaleLowerCase().includes(wanted);
    }
  };
  // Not sent: Enter in it is no submission.
  const keep = (event) => event.key === "Enter" && event.preventDefault();
  const input = make("input", { id, type: "search", autocomplete: "off", on: { input: narrow, keydown: keep } });
  return make("div", { class: "field" }, make("label", { for: id }, t("ballot.filter")), input);
}

/** A radio button or a check box in a row of its own, with its words as the label. */
export function tickRow({ id, type, name, changed }, ...words) {
  const input = make("input", { id, type, name, autocomplete: "off", on: { change: changed } });
  const element = make("label", { class: "tick", for: id }, input, make("span", {}, ...words));
  return { input, element };
}

/** A list of options in words: each title with a direction of its own. */
export function titles(options) {
  const nodes = options.map((option) => bdi(titleOf(option)));
  return nodes.flatMap((node, index) => (index === 0 ? [node] : [` ${t("ballot.and")} `, node]));
}

/** A whole number from a field: digits of any script; nothing where it is empty, `NaN` where it is no number. */
export function wholeNumber(text) {
  const plain = text.trim().replace(/[\u0660-\u0669]/g, (digit) => String(digit.charCodeAt(0) - 0x660));
  if (plain === "") return null;
  return /^\d{1,15}$/.test(plain) ? Number(plain) : Number.NaN;
}
