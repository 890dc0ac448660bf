// What is shown where a call brought nothing: what is so, and what to do next.

import { byId, english, fill, make, show } from "./dom.js";
import { knows, t } from "./text.js";

/** The sentence for a failure, in the reader's language. */
export function sentence(failure) {
  if (failure.kind === "offline" || failure.kind === "garbage") return t(`problem.${failure.kind}`);
  const own = `code.${failure.code}`;
  if (knows(own)) return t(own);
  return t(failure.status >= 500 ? "problem.server" : "problem.refused");
}

/** A box with what is wrong, the server's own sentence under it, and a button to try again. */
export function problemBox(failure, again) {
  const own = failure.detail ? make("p", { class: "hint" }, `${t("problem.says")} `, english(failure.detail)) : null;
  const id = failure.requestId
    ? make("p", { class: "hint" }, `${t("problem.request")} `, make("code", { dir: "ltr" }, failure.requestId))
    : null;
  const button = again
    ? make("p", { class: "actions" }, make("button", { type: "button", on: { click: again } }, t("problem.again")))
    : null;
  const heading = make("p", { class: "errors-heading" }, sentence(failure));
  return make("div", { class: "errors", role: "group", tabindex: "-1" }, heading, own, id, button);
}

/** Runs what a page shows first; where it fails, says so, and tries again when asked. */
export async function begin(run) {
  const place = byId("problem");
  const wait = byId("wait");
  fill(place);
  show(wait);
  try {
    await run();
  } catch (failure) {
    show(place);
    if (failure.kind === undefined) console.error(failure);
    const box = problemBox(failure.kind === undefined ? { kind: "garbage", detail: "" } : failure, () => begin(run));
    fill(place, box);
    say(sentence(failure.kind === undefined ? { kind: "garbage" } : failure));
  } finally {
    show(wait, false);
  }
}

/** Says something in the page's one polite status line; the same words twice are said once. */
export function say(text) {
  const line = byId("say");
  if (line.textContent !== text) line.textContent = text;
}
