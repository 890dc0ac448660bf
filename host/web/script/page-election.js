// One election: what is asked, by which rule, and what can be done now.

import { get } from "./api.js";
import { bdi, byId, english, fact, fill, link, make, show, subject } from "./dom.js";
import { electionPath, stateSentence, turnoutSentence } from "./election-state.js";
import { follow } from "./events.js";
import { hashToCopy } from "./hash.js";
import { begin } from "./problem.js";
import { frame } from "./shell.js";
import { number, t } from "./text.js";

const id = subject();
let shown = null;

frame();
begin(async () => {
  const election = await get(`/api/elections/${id}`);
  await contests(election);
  render(election);
  if (election.status !== "final") follow(["turnout"], lookAgain);
});

async function lookAgain(event) {
  if (event && event.election_id !== Number(id)) return;
  // What an event says is all that changes while an election runs.
  if (event) return render({ ...shown, status: event.status, turnout: event.turnout });
  try {
    render(await get(`/api/elections/${id}`));
  } catch {
    // What is shown stays.
  }
}

function render(election) {
  const { status, title } = election;
  const isSame = shown?.status === status;
  shown = election;
  byId("state").textContent = `${stateSentence(status)} ${turnoutSentence(election)}`;
  // The rest is made again only where it is another: a reader's focus stays where it is.
  if (isSame) return;
  byId("state").dataset.state = status;
  fill(byId("title"), bdi(title));
  document.title = `${title} · Tabella`;
  fill(byId("actions"), ...actions(election));
  fill(byId("facts"), ...facts(election));
  show(byId("found"));
}

function actions({ status, counts_shown: shown }) {
  const primary = (path, words) => {
    const anchor = link(electionPath(id, path), words);
    anchor.classList.add("button", "primary");
    return anchor;
  };
  if (status === "open") {
    const counts = shown === "live" ? link(electionPath(id, "results"), t("election.see-counts")) : null;
    return [primary("vote", t("election.vote")), counts];
  }
  return status === "upcoming" ? [] : [primary("results", t("election.see-results"))];
}

function facts(election) {
  const { eligibility, revote, counts_shown: shown, roll_size: roll, transaction_id: transaction } = election;
  const who = eligibility.open_to === "accounts" ? "accounts" : eligibility.kind;
  return [
    fact(t("election.who"), t(`election.who-${who}`)),
    roll > 0 ? fact(t("election.roll"), number(roll)) : null,
    fact(t("election.again"), t(`election.again-${revote}`)),
    fact(t("election.counts"), t(`election.counts-${shown}`)),
    transaction ? fact(t("election.statement"), hashToCopy(transaction, t("election.copy-statement"))) : null,
  ].filter(Boolean);
}

async function contests(election) {
  const cards = election.contests.map(async (contest) => {
    const { manifest } = await get(`/api/plugins/${contest.rule.sha256}`);
    const options = contest.options.map((option) => make("li", {}, bdi(option.title || option.id)));
    const name = make("code", { dir: "ltr" }, `${contest.rule.name} ${contest.rule.version}`);
    const params = Object.entries(contest.params ?? {});
    return make(
      "section",
      { class: "card" },
      make("h3", {}, bdi(contest.title || contest.id)),
      make("ul", { class: "options-list" }, ...options),
      make(
        "dl",
        { class: "facts" },
        fact(t("election.rule"), name, " ", english(manifest?.summary ?? "")),
        params.length > 0 ? fact(t("election.params"), ...params.map(([key, value]) => make("code", { class: "param", dir: "ltr" }, `${key} = ${JSON.stringify(value)}`))) : null,
        fact(t("election.rule-hash"), hashToCopy(contest.rule.sha256, t("election.copy-rule"))),
      ),
    );
  });
  fill(byId("contests"), ...(await Promise.all(cards)));
}
