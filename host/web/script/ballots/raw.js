// Ballots of a shape that only the rule's author knows: their bytes, as base64.

import { make } from "../dom.js";
import { t } from "../text.js";

export function raw({ prefix, changed }) {
  const id = `${prefix}-o0`;
  const area = make("textarea", { id, class: "mono", rows: 4, spellcheck: "false", autocomplete: "off", dir: "ltr", on: { input: changed } });
  const text = () => area.value.replace(/\s+/g, "");
  return {
    hint: t("raw.hint"),
    nodes: [make("div", { class: "field" }, make("label", { for: id }, t("raw.label")), area)],
    first: id,
    ballot: () => ({ raw: text() }),
    isBlank: () => text() === "",
    problem: () => (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text()) ? null : t("raw.not-base64")),
    sum: () => "",
    review: () => make("p", {}, make("code", { dir: "ltr" }, text())),
    clear: () => (area.value = ""),
  };
}
