// What each option got: bars with numbers beside them, and as a table.

import { bdi, draw, make } from "../dom.js";
import { number, percent, t } from "../text.js";

/** A count as the API writes it, a whole number or a text such as `7/3`: for reading, and for lengths. */
export function amount(votes) {
  if (votes === null || votes === undefined) return { text: "–", value: 0 };
  const text = String(votes);
  const [numerator, denominator = "1"] = text.split("/");
  const value = Number(numerator) / Number(denominator);
  return { text: /^-?\d+$/.test(text) && Number.isSafeInteger(value) ? number(value) : text, value };
}

/** A bar of this share of the longest; the number beside it says the same. */
export function bar(share, kind) {
  const width = `${Math.max(0, Math.min(1, share || 0)) * 100}%`;
  return draw(
    "svg",
    { class: `bar-picture ${kind}`, width: "100%", height: "16", "aria-hidden": "true", focusable: "false" },
    draw("rect", { class: "bar-ground", x: 0, y: 0, width: "100%", height: "16" }),
    draw("rect", { class: "bar-value", x: 0, y: 0, width, height: "16" }),
  );
}

/** One line of bars: whose, how many, and what became of it in words. */
export function barLine({ title, text, share, kind, word }) {
  const said = word ? make("strong", { class: `word ${kind}` }, word) : null;
  const line = make("p", { class: "bar-line" }, make("span", {}, bdi(title)), make("span", { class: "bar-number" }, make("bdi", {}, text), said ? " " : null, said));
  return make("li", {}, line, bar(share, kind));
}

/** The share of an option, where its count is one of ballots: a rule that compares options counts what they won. */
function shareOf(contest, option) {
  return contest.pairwise || option.percentage === null ? null : percent(option.percentage);
}

/** Bars of all options, the most votes first. */
export function optionBars(contest) {
  const counted = contest.options.map((option) => ({ option, ...amount(option.votes) })).sort((a, b) => b.value - a.value);
  const most = Math.max(1, ...counted.map(({ value }) => value));
  const lines = counted.map(({ option, text, value }) => {
    const part = shareOf(contest, option);
    const share = part === null ? text : `${text} (${part})`;
    const kind = option.elected ? "elected" : "plain";
    return barLine({ title: option.title || option.id, text: share, share: value / most, kind, word: option.elected ? t("results.elected") : null });
  });
  return make("ul", { class: "bars" }, ...lines);
}

/** The same as a table, with seats where there are any. */
export function optionTable(contest) {
  const hasSeats = contest.options.some((option) => option.seats !== null);
  const head = ["results.option", "results.votes", "results.share", hasSeats ? "results.seats" : null, "results.outcome"].filter(Boolean);
  const rows = contest.options.map((option) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, bdi(option.title || option.id)),
      make("td", { class: "number" }, amount(option.votes).text),
      make("td", { class: "number" }, shareOf(contest, option) ?? "–"),
      hasSeats ? make("td", { class: "number" }, option.seats === null ? "–" : number(option.seats)) : null,
      make("td", {}, option.elected ? t("results.elected") : "–"),
    ),
  );
  return table(t("results.by-option"), head.map((name) => t(name)), rows);
}

/** A table that scrolls by itself where the page is narrow: a group and no landmark, of which a page would have many. */
export function table(caption, head, rows) {
  const cells = head.map((text, index) => make("th", { scope: "col", class: index === 0 ? null : "number" }, text));
  const whole = make("table", {}, make("caption", {}, caption), make("thead", {}, make("tr", {}, ...cells)), make("tbody", {}, ...rows));
  return make("div", { class: "scroll", role: "group", "aria-label": caption, tabindex: "0" }, whole);
}
