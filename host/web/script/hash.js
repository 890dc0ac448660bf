// Hashes and receipt numbers: in groups that eyes can compare, and to copy as they are.

import { make } from "./dom.js";
import { say } from "./problem.js";
import { t } from "./text.js";

/** A hash in groups of four, spoken by its end. */
export function hash(text) {
  const digits = text.replace(/^0x/, "");
  const groups = digits.match(/.{1,4}/g) ?? [];
  const shown = groups.map((group) => make("span", {}, group));
  const end = Array.from(digits.slice(-6)).join(" ");
  return make(
    "span",
    { class: "hash" },
    make("span", { class: "unseen" }, t("hash.ends", { end })),
    make("code", { dir: "ltr", "aria-hidden": "true" }, ...shown),
  );
}

/** As `hash`, with a button that copies it. */
export function hashToCopy(text, label) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say(t("hash.copied"));
    } catch {
      say(t("hash.not-copied"));
    }
  };
  const button = make("button", { type: "button", class: "small", "aria-label": label, on: { click: copy } }, t("hash.copy"));
  // Browsers give pages of other than secure addresses no clipboard.
  return make("span", { class: "with-copy" }, hash(text), navigator.clipboard ? button : null);
}

/** A hash where there is little room, cut short. */
export function shortHash(text) {
  return make("code", { dir: "ltr", title: text }, `${text.slice(0, 10)}…${text.slice(-6)}`);
}
