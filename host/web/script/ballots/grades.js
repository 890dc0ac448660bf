// Ballots that grade each option, or score it by a few numbers: a group of radio buttons for each.

import { bdi, make } from "../dom.js";
import { number, t } from "../text.js";
import { tickRow, titleOf } from "./parts.js";

/** A grade in words for each option. */
export function grades({ contest, prefix, changed }) {
  const properties = contest.ballot_schema.properties?.grades?.properties ?? {};
  const words = properties[contest.options[0].id]?.enum ?? [];
  // The best first, as people read a scale of praise.
  const values = [...words].reverse().map((word) => ({ value: word, title: bdi(word) }));
  return groups({ contest, prefix, changed, values, member: "grades", hint: t("grades.hint") });
}

/** A score for each option, of few. */
export function fewScores({ contest, prefix, limits, changed }) {
  const values = Array.from({ length: limits.max + 1 }, (_, score) => ({ value: score, title: number(score) }));
  const hint = t("scores.hint", { max: number(limits.max) });
  return groups({ contest, prefix, changed, values, member: "scores", hint });
}

function groups({ contest, prefix, changed, values, member, hint }) {
  const { options } = contest;
  const rows = options.map((option, index) => {
    const name = `${prefix}-o${index}`;
    const ticks = values.map(({ title }, place) =>
      tickRow({ id: `${name}-v${place}`, type: "radio", name, changed }, typeof title === "string" ? title : title.cloneNode(true)),
    );
    const legend = make("legend", {}, bdi(titleOf(option)));
    const scale = make("div", { class: member === "scores" ? "scale" : "scale words" }, ...ticks.map((tick) => tick.element));
    return { option, ticks, element: make("fieldset", { class: "graded" }, legend, scale) };
  });
  const given = (row) => values[row.ticks.findIndex((tick) => tick.input.checked)] ?? null;
  const marked = () => rows.filter((row) => given(row));
  return {
    hint,
    nodes: rows.map((row) => row.element),
    first: rows[0].ticks[0]?.input.id,
    ballot: () => ({ [member]: Object.fromEntries(marked().map((row) => [row.option.id, given(row).value])) }),
    isBlank: () => marked().length === 0,
    problem: () => null,
    sum: () => t("grades.given", { given: number(marked().length), all: number(options.length) }),
    review: () => {
      const said = (row) => [bdi(titleOf(row.option)), ": ", given(row)?.title.cloneNode?.(true) ?? given(row)?.title ?? t("grades.none")];
      return make("ul", {}, ...rows.map((row) => make("li", {}, ...said(row))));
    },
    clear: () => rows.forEach((row) => row.ticks.forEach((tick) => (tick.input.checked = false))),
  };
}
