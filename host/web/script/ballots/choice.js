// Ballots that mark options: one, several, or all that a voter approves of.

import { bdi, make } from "../dom.js";
import { number, plural, t } from "../text.js";
import { filterField, tickRow, titleOf } from "./parts.js";

/** One mark at most. */
export function oneChoice({ contest, prefix, changed }) {
  return ticks({ contest, prefix, changed, type: "radio", hint: t("choice.one"), min: 0, max: 1, ballot: single });
}

/** Several marks. */
export function choices({ contest, prefix, limits, changed }) {
  const max = Math.min(limits.max_choices, contest.options.length);
  const hint = plural("choice.at-most", max);
  return ticks({ contest, prefix, changed, type: "checkbox", hint, min: 0, max, ballot: single });
}

/** Any number of marks, or between two bounds; with what each costs, where that is known. */
export function approval({ contest, prefix, limits, changed }) {
  const all = contest.options.length;
  const max = Math.min(limits.max_choices ?? all, all);
  const min = limits.min_choices ?? 0;
  const hints = [max < all ? plural("choice.at-most", max) : t("approval.any")];
  if (min > 0) hints.push(plural("choice.at-least", min));
  const costs = limits.costs && limits.budget !== undefined ? limits.costs : null;
  if (costs) hints.push(t("approval.budget", { budget: number(limits.budget) }));
  const ballot = (ids) => ({ approve: ids });
  const sums = costs ? { costs, budget: limits.budget } : null;
  return ticks({ contest, prefix, changed, type: "checkbox", hint: hints.join(" "), min, max, ballot, sums });
}

function single(ids) {
  return ids.length === 1 ? { choice: ids[0] } : { choices: ids };
}

function ticks({ contest, prefix, changed, type, hint, min, max, ballot, sums = null }) {
  const { options } = contest;
  const rows = options.map((option, index) => {
    const words = [bdi(titleOf(option))];
    if (sums) words.push(" ", make("span", { class: "aside" }, t("approval.cost", { cost: number(sums.costs[option.id] ?? 0) })));
    const row = tickRow({ id: `${prefix}-o${index}`, type, name: prefix, changed }, ...words);
    return { ...row, title: titleOf(option), isMarked: () => row.input.checked };
  });
  const marked = () => options.filter((_, index) => rows[index].input.checked);
  return {
    hint,
    nodes: [filterField(prefix, rows), make("div", { class: "options" }, ...rows.map((row) => row.element))],
    first: rows[0].input.id,
    ballot: () => ballot(marked().map((option) => option.id)),
    isBlank: () => marked().length === 0,
    problem: () => {
      const count = marked().length;
      if (count > max) return plural("choice.too-many", max, { marked: number(count) });
      return count < min ? plural("choice.too-few", min, { marked: number(count) }) : null;
    },
    sum: () => sumOf(marked(), max, type, sums),
    review: () => make("ul", {}, ...marked().map((option) => make("li", {}, bdi(titleOf(option))))),
    clear: () => rows.forEach((row) => (row.input.checked = false)),
  };
}

function sumOf(marked, max, type, sums) {
  if (type === "radio") return marked.length === 0 ? t("choice.none") : t("choice.is", { option: titleOf(marked[0]) });
  const count = t("choice.marked", { marked: number(marked.length), max: number(max) });
  if (!sums) return count;
  const cost = marked.reduce((sum, option) => sum + (sums.costs[option.id] ?? 0), 0);
  return `${count} ${t("approval.sum", { cost: number(cost), budget: number(sums.budget) })}`;
}
