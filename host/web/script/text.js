// The words of the page's language, its numbers and its times.

let words = {};

/** Called once by the module of the language, before any page begins. */
export function install(catalogue) {
  words = catalogue;
}

const code = document.documentElement.lang;
// Receipts, hashes and fields hold these digits too: one kind on a page.
const locale = `${code}-u-nu-latn`;
const plurals = new Intl.PluralRules(code);
const numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 6 });
const percents = new Intl.NumberFormat(locale, { maximumFractionDigits: 2, style: "percent" });
const times = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
const lists = new Intl.ListFormat(code, { type: "conjunction" });

function entry(name) {
  const found = words[name];
  if (found === undefined) throw new Error(`no words for ${name}`);
  return found;
}

/** The words under a name, with values in their places. */
export function t(name, values = {}) {
  return place(entry(name), values);
}

/** The words for so many; the place `{n}` is the number. */
export function plural(name, n, values = {}) {
  const forms = entry(name);
  return place(forms[plurals.select(n)] ?? forms.other, { n: number(n), ...values });
}

/** Whether there are words under a name. */
export function knows(name) {
  return words[name] !== undefined;
}

/** As `t`, where values are nodes: a list of nodes and texts. */
export function rich(name, nodes) {
  return parts(entry(name)).map((part) => (part.place === undefined ? part.text : nodes[part.place]));
}

function place(template, values) {
  return parts(template)
    .map((part) => (part.place === undefined ? part.text : String(values[part.place])))
    .join("");
}

function parts(template) {
  return template.split(/(\{[a-z]+\})/).map((text) => {
    const isPlace = /^\{[a-z]+\}$/.test(text);
    return isPlace ? { place: text.slice(1, -1) } : { text };
  });
}

export function number(value) {
  return numbers.format(value);
}

/** A share of 100, as percent. */
export function percent(value) {
  return percents.format(value / 100);
}

/** A time of the API, as readers of this language write it. */
export function time(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : times.format(date);
}

export function list(texts) {
  return lists.format(texts);
}
