// One contest of a ballot: its question, its limits, its marks, and what is wrong with them.

import { bdi, english, fill, make, show } from "../dom.js";
import { say } from "../problem.js";
import { number, t } from "../text.js";
import { approval, choices, oneChoice } from "./choice.js";
import { fewScores, grades } from "./grades.js";
import { scores, votes } from "./numbers.js";
import { ranking } from "./ranking.js";
import { raw } from "./raw.js";

/** Scores up to this are radio buttons. */
const FEW = 10;
/** What is wrong is said once the marks have not changed for so long. */
const SETTLED_MS = 300;

/** What a contest's rule allows: its parameters, with the rule's defaults for those that are left out. */
export function limitsOf(contest, manifest) {
  const properties = manifest?.params_schema?.properties ?? {};
  const defaults = Object.entries(properties).filter(([, schema]) => schema?.default !== undefined);
  return { ...Object.fromEntries(defaults.map(([name, schema]) => [name, schema.default])), ...contest.params };
}

function widgetOf(contest, limits) {
  switch (contest.ballot_schema["x-ballot-kind"]) {
    case "choice":
      return limits.max_choices > 1 ? choices : oneChoice;
    case "approval":
      return approval;
    case "ranking":
      return ranking;
    case "scores":
      return limits.max <= FEW ? fewScores : scores;
    case "votes":
      return votes;
    case "grades":
      return grades;
    case "raw":
      return raw;
    default:
      return null;
  }
}

/** A contest to mark; nothing where its kind of ballot is not known to these pages. */
export function makeContest({ contest, manifest, index, total, marked }) {
  const limits = limitsOf(contest, manifest);
  const prefix = `c${index}`;
  const make_ = widgetOf(contest, limits);
  if (!make_) return null;
  let timer = 0;
  const sum = make("p", { id: `${prefix}-sum`, class: "sum" });
  const caution = make("p", { id: `${prefix}-caution`, class: "caution", hidden: true });
  const error = make("p", { id: `${prefix}-error`, class: "error", hidden: true });
  const widget = make_({ contest, prefix, limits, changed });

  function judge() {
    const problem = widget.problem();
    fill(error, problem);
    show(error, Boolean(problem));
    const careful = widget.caution?.() ?? null;
    fill(caution, careful);
    show(caution, Boolean(careful));
    return problem;
  }

  function changed() {
    fill(sum, widget.sum());
    marked();
    clearTimeout(timer);
    timer = setTimeout(() => say(judge() ?? widget.sum()), SETTLED_MS);
  }

  function clear() {
    widget.clear();
    changed();
    judge();
  }

  fill(sum, widget.sum());
  const counted = total > 1 ? t("contest.of", { index: number(index + 1), total: number(total) }) : null;
  const heading = make("h3", {}, counted ? make("span", { class: "counted" }, counted) : null, bdi(contest.title || contest.id));
  const summary = manifest?.summary ? make("p", { class: "hint" }, english(manifest.summary)) : null;
  const hint = make("p", { id: `${prefix}-hint`, class: "limits" }, widget.hint);
  const clearing = make("button", { type: "button", class: "small", on: { click: clear } }, t("contest.clear"));
  const element = make(
    "fieldset",
    { id: prefix, class: "contest", tabindex: "-1", "aria-describedby": `${prefix}-hint ${prefix}-error` },
    make("legend", {}, heading),
    summary,
    hint,
    ...widget.nodes,
    sum,
    caution,
    error,
    make("p", { class: "actions" }, clearing),
  );
  return {
    element,
    prefix,
    id: contest.id,
    title: contest.title || contest.id,
    ballot: widget.ballot,
    isBlank: widget.isBlank,
    review: widget.review,
    problem: judge,
    /** Shows what the server refused it for. */
    refuse: (text) => {
      fill(error, english(text));
      show(error);
    },
  };
}
