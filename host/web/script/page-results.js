// What came out: the state and who was elected first, then how.

import { get } from "./api.js";
import { bdi, byId, english, fact, fill, here, make, show, subject } from "./dom.js";
import { electionPath, turnoutSentence } from "./election-state.js";
import { follow } from "./events.js";
import { hashToCopy } from "./hash.js";
import { begin, say } from "./problem.js";
import { optionBars, optionTable } from "./results/options.js";
import { pairwiseTable } from "./results/pairwise.js";
import { roundsView } from "./results/rounds.js";
import { frame } from "./shell.js";
import { titles } from "./ballots/parts.js";
import { number, t } from "./text.js";

const id = subject();
let shown = "";
let following = null;

frame();
byId("to-election").href = here(electionPath(id));
begin(async () => {
  await look();
  if (byId("state").dataset.state !== "final") following = follow(["turnout"], lookAgain);
});

async function lookAgain(event) {
  if (event && event.election_id !== Number(id)) return;
  try {
    await look();
  } catch {
    // What is shown stays, with the block up to which it holds.
  }
}

async function look() {
  const [election, results] = await Promise.all([get(`/api/elections/${id}`), get(`/api/votes/results?election_id=${id}`)]);
  const state = stateOf(results);
  fill(byId("title"), t("results.of"), " ", bdi(election.title));
  document.title = `${t("results.of")} ${election.title} · Tabella`;
  const line = byId("state");
  line.dataset.state = state;
  const values = { count: number(results.attested_by), of: number(results.validators) };
  line.textContent = `${t(`results.${state}`, values)} ${turnoutSentence(election)}`;
  fill(byId("facts"), ...facts(results, values));
  fill(byId("downloads"), ...downloads(results));
  // Only when the counts are others: a reader's round stays picked.
  const counts = JSON.stringify(results.contests);
  if (counts !== shown) {
    keepingPlace(() => fill(byId("contests"), ...results.contests.map(contestView)));
    if (shown) say(line.textContent);
    shown = counts;
  }
  show(byId("found"));
  if (state === "final") following?.stop();
}

/** The rounds that a reader picked, and where the focus is, stay over new counts. */
function keepingPlace(change) {
  const focused = document.activeElement?.id;
  const picked = [...document.querySelectorAll("#contests input:checked")].map((input) => input.id);
  change();
  for (const input of picked) document.getElementById(input)?.click();
  if (focused) document.getElementById(focused)?.focus();
}

function stateOf({ status, verified }) {
  return status === "final" && !verified ? "unverified" : status;
}

function contestView(contest, index) {
  const { options, rounds, winners, ties, quota, pairwise, explanation } = contest;
  const heading = make("h2", {}, bdi(contest.title || contest.id));
  const isCounted = options.some((option) => option.votes !== null);
  if (!isCounted) return make("section", {}, heading, make("p", { class: "box" }, t("results.not-counted")));
  const won = options.filter((option) => winners.includes(option.id));
  const winner = make("p", { class: "winner" }, ...(won.length > 0 ? [`${t("results.winners")} `, ...titles(won)] : [t("results.no-winner")]));
  const drawn = ties.map((tie) => make("li", {}, english(`${tie.question}: `), ...titles(options.filter((option) => tie.options.includes(option.id)))));
  return make(
    "section",
    { class: "contest-result" },
    heading,
    winner,
    explanation ? make("p", {}, english(explanation)) : null,
    quota !== null && quota !== undefined ? make("p", {}, t("results.quota", { quota: typeof quota === "number" ? number(quota) : quota })) : null,
    ...(rounds.length > 0 ? roundsView(contest, `r${index}`) : [optionBars(contest), optionTable(contest)]),
    drawn.length > 0 ? make("div", {}, make("h3", {}, t("results.ties")), make("ul", {}, ...drawn)) : null,
    ...(pairwise ? pairwiseTable(contest) : []),
  );
}

function facts(results, values) {
  const { certificate, as_of_height: height, contests } = results;
  const rules = [...new Map(contests.map(({ rule }) => [rule.sha256, rule])).values()];
  return [
    fact(t("results.attested"), t("results.attested-by", values)),
    fact(t("results.as-of"), number(height)),
    ...rules.map((rule) => fact(t("results.rule"), make("code", { dir: "ltr" }, `${rule.name} ${rule.version}`), " ", hashToCopy(rule.sha256, t("election.copy-rule")))),
    ...(certificate?.attestation.outcomes ?? []).map((outcome) => fact(t("results.outcome-hash"), hashToCopy(outcome, t("results.copy-outcome")))),
  ].filter(Boolean);
}

function downloads({ status }) {
  const item = (path, words, name) => make("li", {}, make("a", { href: path, download: name }, words));
  const items = [item(`/api/votes/results?election_id=${id}`, t("results.as-json"), `results-${id}.json`)];
  if (status === "final") items.push(item(`/api/elections/${id}/export`, t("results.export"), `election-${id}.jsonl`));
  return items;
}
