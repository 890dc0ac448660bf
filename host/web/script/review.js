// What a voter is about to cast, contest by contest.

import { bdi, make } from "./dom.js";
import { t } from "./text.js";

/** A contest's marks as they will be counted, and the way back to them. */
export function reviewOf(contest, change) {
  const button = make(
    "button",
    { type: "button", class: "small", "aria-label": t("review.change-label", { contest: contest.title }), on: { click: change } },
    t("review.change"),
  );
  const marks = contest.isBlank() ? make("p", { class: "caution" }, t("review.blank")) : contest.review();
  return make("section", { class: "card" }, make("h3", {}, bdi(contest.title)), marks, make("p", { class: "actions" }, button));
}

/** The ballot as the API takes it: one contest's by itself, those of several by their ids. */
export function ballotOf(contests) {
  if (contests.length === 1) return contests[0].ballot();
  return Object.fromEntries(contests.map((contest) => [contest.id, contest.ballot()]));
}

/** The contest that a pointer into a refused request is about. */
export function contestAt(contests, pointer) {
  const [, name] = pointer.match(/^\/ballot\/([^/]*)/) ?? [];
  const id = name?.replaceAll("~1", "/").replaceAll("~0", "~");
  return contests.find((contest) => contest.id === id) ?? contests[0];
}
