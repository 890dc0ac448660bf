// Ballots that rank: a number for each option, and buttons that move it. Nothing is dragged, and nothing moves by itself.

import { bdi, make } from "../dom.js";
import { say } from "../problem.js";
import { number, plural, t } from "../text.js";
import { titleOf, titles } from "./parts.js";

export function ranking({ contest, prefix, limits, changed }) {
  const { options } = contest;
  const most = Math.min(limits.ranks_max ?? options.length, options.length);
  const rows = options.map((option, index) => makeRow({ option, index, prefix, most }));
  const list = make("ul", { class: "ranks" }, ...rows.map((row) => row.element));
  const move = (row, by) => {
    const moved = by < 0 ? higher(rows, row, most) : lower(rows, row);
    changed();
    say(moved.map((one) => standing(one)).join(" "));
  };
  for (const row of rows) {
    row.select.addEventListener("change", changed);
    row.up.addEventListener("click", () => move(row, -1));
    row.down.addEventListener("click", () => move(row, 1));
  }
  const order = () => {
    const sorted = [...rows].sort((a, b) => (a.rank() || most + 1) - (b.rank() || most + 1) || a.index - b.index);
    list.append(...sorted.map((row) => row.element));
    say(t("ranking.ordered"));
  };
  const ordering = make("button", { type: "button", class: "small", on: { click: order } }, t("ranking.order"));
  const hints = [t("ranking.hint")];
  if (most < options.length) hints.push(plural("ranking.at-most", most));
  return {
    hint: hints.join(" "),
    nodes: [list, make("p", { class: "actions" }, ordering)],
    first: rows[0].select.id,
    ballot: () => ({ ranking: ranks(rows).map((rank) => (rank.length === 1 ? rank[0].id : rank.map((o) => o.id))) }),
    isBlank: () => ranks(rows).length === 0,
    problem: () => null,
    // Some rules do not count a rank that two options share, and no schema says which.
    caution: () => (contest.ballot_schema["x-ballot-kind"] === "ranking" && takesMarks(contest) && shares(rows) ? t("ranking.shared") : null),
    sum: () => t("ranking.ranked", { ranked: number(rows.filter((row) => row.rank()).length), all: number(options.length) }),
    review: () => review(rows),
    clear: () => rows.forEach((row) => (row.select.value = "")),
  };
}

function makeRow({ option, index, prefix, most }) {
  const id = `${prefix}-o${index}`;
  const title = titleOf(option);
  const numbers = Array.from({ length: most }, (_, rank) => make("option", { value: rank + 1 }, number(rank + 1)));
  const select = make("select", { id, autocomplete: "off" }, make("option", { value: "" }, t("ranking.unranked")), ...numbers);
  const button = (name) =>
    make("button", { type: "button", class: "small", "aria-label": t(`ranking.${name}-label`, { option: title }) }, t(`ranking.${name}`));
  const up = button("higher");
  const down = button("lower");
  const label = make("label", { for: id }, bdi(title));
  const element = make("li", { class: "rank" }, label, make("span", { class: "rank-controls" }, select, up, down));
  return { option, index, select, up, down, element, rank: () => Number(select.value) };
}

function standing(row) {
  const option = titleOf(row.option);
  return row.rank() ? t("ranking.now", { option, rank: number(row.rank()) }) : t("ranking.now-unranked", { option });
}

/** Changes places with those one rank above; an unranked option goes to the end. Returns the rows that moved. */
function higher(rows, row, most) {
  const rank = row.rank();
  if (rank === 0) {
    const last = Math.max(0, ...rows.map((one) => one.rank()));
    row.select.value = String(Math.min(last + 1, most));
    return [row];
  }
  return rank === 1 ? [row] : swap(rows, row, rank - 1);
}

/** Changes places with those one rank below; the last goes out of the ranking. */
function lower(rows, row) {
  const rank = row.rank();
  if (rank === 0) return [row];
  if (rows.some((one) => one.rank() > rank)) return swap(rows, row, rank + 1);
  row.select.value = "";
  return [row];
}

function swap(rows, row, rank) {
  const from = row.rank();
  const others = rows.filter((one) => one !== row && one.rank() === rank);
  for (const other of others) other.select.value = String(from);
  row.select.value = String(rank);
  return [row, ...others];
}

/** The options of each rank that has any, the best first: numbers that nobody has close up. */
function ranks(rows) {
  const byRank = new Map();
  for (const row of [...rows].sort((a, b) => a.index - b.index)) {
    if (row.rank()) byRank.set(row.rank(), [...(byRank.get(row.rank()) ?? []), row.option]);
  }
  return [...byRank.entries()].sort(([a], [b]) => a - b).map(([, options]) => options);
}

function shares(rows) {
  return ranks(rows).some((rank) => rank.length > 1);
}

/** Whether the rule judges ranks with several marks itself: its schema has a member for them. */
function takesMarks(contest) {
  const rank = contest.ballot_schema.properties?.ranking?.items?.anyOf ?? [];
  return rank.some((form) => form?.properties?.mark !== undefined);
}

function review(rows) {
  const items = ranks(rows).map((rank) => make("li", {}, ...titles(rank)));
  const unranked = rows.filter((row) => !row.rank()).length;
  const rest = unranked > 0 ? make("p", { class: "hint" }, plural("ranking.left", unranked)) : null;
  return make("div", {}, make("ol", { class: "ranked" }, ...items), rest);
}
