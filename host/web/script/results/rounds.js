// The rounds of a count, by bars and as a table, both from the same numbers.

import { bdi, fill, make } from "../dom.js";
import { number, t } from "../text.js";
import { amount, barLine, table } from "./options.js";

/** The rounds with, for each option, its count and what has become of it. */
function readRounds(contest) {
  const elected = new Set();
  const eliminated = new Set();
  return contest.rounds.map((round) => {
    round.elected.forEach((id) => elected.add(id));
    const gone = new Set(eliminated);
    round.eliminated.forEach((id) => eliminated.add(id));
    const lines = contest.options.map((option) => {
      const isIn = option.id in round.totals;
      const { text, value } = amount(isIn ? round.totals[option.id] : null);
      const state = elected.has(option.id) ? "elected" : round.eliminated.includes(option.id) ? "eliminated" : gone.has(option.id) ? "gone" : "plain";
      return { id: option.id, title: option.title || option.id, isIn, text, value, state };
    });
    return { lines, exhausted: amount(round.exhausted) };
  });
}

/** A figure of the last round, with a choice of the others, and the table of all. */
export function roundsView(contest, prefix) {
  const rounds = readRounds(contest);
  const most = Math.max(1, ...rounds.flatMap((round) => round.lines.map((line) => line.value)));
  const place = make("ul", { class: "bars" });
  const caption = make("figcaption", {});
  const show = (index) => {
    const last = index === rounds.length - 1;
    const names = { index: number(index + 1), total: number(rounds.length) };
    fill(caption, t(last ? "rounds.last" : "rounds.one", names));
    const lines = rounds[index].lines.filter((line) => line.isIn).sort((a, b) => b.value - a.value);
    const word = { elected: t("results.elected"), eliminated: t("results.eliminated") };
    fill(place, ...lines.map((line) => barLine({ ...line, share: line.value / most, kind: line.state, word: word[line.state] })));
  };
  show(rounds.length - 1);
  const figure = make("figure", {}, caption, place);
  return [rounds.length > 1 ? picker(rounds.length, prefix, show) : null, figure, roundsTable(rounds)];
}

function picker(count, prefix, show) {
  const ticks = Array.from({ length: count }, (_, index) => {
    const id = `${prefix}-round-${index}`;
    const input = make("input", { type: "radio", id, name: `${prefix}-round`, value: index, on: { change: () => show(index) } });
    input.checked = index === count - 1;
    return make("label", { class: "tick", for: id }, input, make("span", {}, number(index + 1)));
  });
  return make("fieldset", { class: "rounds" }, make("legend", {}, t("rounds.pick")), make("div", { class: "scale" }, ...ticks));
}

function roundsTable(rounds) {
  const last = rounds[rounds.length - 1].lines;
  // Who stayed longest stands first.
  const stayed = (id) => rounds.filter((round) => round.lines.some((line) => line.id === id && line.isIn)).length;
  const order = [...last].sort((a, b) => stayed(b.id) - stayed(a.id) || b.value - a.value);
  const head = [t("results.option"), ...rounds.map((_, index) => t("rounds.round", { index: number(index + 1) }))];
  const rows = order.map(({ id, title }) => {
    const cells = rounds.map((round) => {
      const line = round.lines.find((one) => one.id === id);
      const word = line.isIn && line.state === "eliminated" ? t("results.eliminated") : line.isIn && line.state === "elected" ? t("results.elected") : null;
      return make("td", { class: `number ${line.state}` }, make("bdi", {}, line.text), word ? make("span", { class: "cell-word" }, word) : null);
    });
    return make("tr", {}, make("th", { scope: "row" }, bdi(title)), ...cells);
  });
  const exhausted = rounds.map((round) => make("td", { class: "number" }, round.exhausted.text));
  rows.push(make("tr", { class: "total" }, make("th", { scope: "row" }, t("rounds.exhausted")), ...exhausted));
  return table(t("rounds.all"), head, rows);
}
