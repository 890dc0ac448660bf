// Ballots that give each option a number: scores up to a bound, or votes that cost credits.

import { bdi, make } from "../dom.js";
import { number, plural, t } from "../text.js";
import { titleOf, wholeNumber } from "./parts.js";

/** A score for each option, of many. */
export function scores({ contest, prefix, limits, changed }) {
  const { max } = limits;
  const hint = max === undefined ? t("numbers.any") : t("scores.hint", { max: number(max) });
  const problem = (values) => {
    const over = max !== undefined && values.some((value) => value > max);
    return over ? t("scores.too-high", { max: number(max) }) : null;
  };
  const sum = (values) => t("grades.given", { given: number(values.filter((value) => value !== null).length), all: number(values.length) });
  return fields({ contest, prefix, changed, member: "scores", hint, problem, sum, bound: max });
}

/** Votes for options, which cost credits: each one, or, in quadratic voting, their square. */
export function votes({ contest, prefix, limits, changed }) {
  const { credits } = limits;
  const isSquare = contest.rule.name === "quadratic";
  const cost = (values) => values.reduce((sum, value) => sum + (value || 0) ** (isSquare ? 2 : 1), 0);
  const hints = [credits === undefined ? t("numbers.any") : plural("votes.hint", credits)];
  if (isSquare) hints.push(t("votes.square"));
  const problem = (values) => {
    const spent = cost(values);
    return credits !== undefined && spent > credits ? t("votes.too-many", { cost: number(spent), credits: number(credits) }) : null;
  };
  const sum = (values) => {
    const spent = number(cost(values));
    return credits === undefined ? t("votes.cost", { cost: spent }) : t("votes.cost-of", { cost: spent, credits: number(credits) });
  };
  return fields({ contest, prefix, changed, member: "votes", hint: hints.join(" "), problem, sum, bound: credits });
}

function fields({ contest, prefix, changed, member, hint, problem, sum, bound }) {
  const { options } = contest;
  const rows = options.map((option, index) => makeRow({ option, prefix: `${prefix}-o${index}`, changed, bound }));
  const values = () => rows.map((row) => wholeNumber(row.input.value));
  const given = () => rows.map((row, index) => ({ row, value: values()[index] })).filter(({ value }) => value !== null);
  return {
    hint,
    nodes: [make("ul", { class: "ranks" }, ...rows.map((row) => row.element))],
    first: rows[0].input.id,
    ballot: () => ({ [member]: Object.fromEntries(given().map(({ row, value }) => [row.option.id, value])) }),
    isBlank: () => given().length === 0,
    problem: () => (values().some(Number.isNaN) ? t("numbers.not-whole") : problem(values())),
    sum: () => sum(values()),
    review: () => make("ul", {}, ...rows.map((row, index) => make("li", {}, bdi(titleOf(row.option)), `: ${number(values()[index] || 0)}`))),
    clear: () => rows.forEach((row) => (row.input.value = "")),
  };
}

function makeRow({ option, prefix, changed, bound }) {
  const title = titleOf(option);
  const input = make("input", { id: prefix, type: "text", inputmode: "numeric", class: "count", autocomplete: "off", on: { input: changed } });
  const step = (by) => () => {
    const before = wholeNumber(input.value) || 0;
    input.value = String(Math.min(Math.max(0, before + by), bound ?? Number.MAX_SAFE_INTEGER));
    changed();
  };
  const button = (name, by, sign) =>
    make("button", { type: "button", class: "small square", "aria-label": t(`numbers.${name}`, { option: title }), on: { click: step(by) } }, sign);
  const label = make("label", { for: prefix }, bdi(title));
  const controls = make("span", { class: "rank-controls" }, button("less", -1, "−"), input, button("more", 1, "+"));
  return { option, input, element: make("li", { class: "rank" }, label, controls) };
}
