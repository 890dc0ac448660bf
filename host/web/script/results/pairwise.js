// Every option against every other: how many ballots prefer the one of the row to the one of the column.

import { bdi, make } from "../dom.js";
import { t } from "../text.js";
import { amount, table } from "./options.js";

export function pairwiseTable(contest) {
  const { options, pairwise } = contest;
  const count = (row, column) => amount(pairwise[row.id]?.[column.id]);
  const rows = options.map((row) => {
    const cells = options.map((column) => {
      if (row === column) return make("td", { class: "number gone" }, "–");
      const own = count(row, column);
      const wins = own.value > count(column, row).value;
      return make("td", { class: wins ? "number elected" : "number" }, own.text, wins ? make("span", { class: "cell-word" }, t("pairwise.wins")) : null);
    });
    return make("tr", {}, make("th", { scope: "row" }, bdi(row.title || row.id)), ...cells);
  });
  const head = [t("results.option"), ...options.map((option) => option.title || option.id)];
  return [make("p", { class: "hint" }, t("pairwise.hint")), table(t("pairwise.caption"), head, rows)];
}
