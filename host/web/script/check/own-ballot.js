// Whether the ballot in a receipt is the one that its voter marked: it is marked again, on papers made of what the
// chain says the election asks, and compared here.

import { call } from "../api.js";
import { makeContest } from "../ballots/contest.js";
import { bdi, byId, english, fill, focus, show } from "../dom.js";
import { busy, isBusy } from "../forms.js";
import { say } from "../problem.js";
import { ballotOf } from "../review.js";
import { t } from "../text.js";
import { bytesOf, chosen } from "./files.js";
import { ask, describe, isKept } from "./verifier.js";

/** What was checked last: `genesis`, `receipt` and the number of its `election`. */
let checked = null;
let proof = null;
let rules = "{}";
let contests = [];

/** Offers to compare the receipt that holds; `null` where none does. */
export function offer(valid) {
  checked = valid;
  contests = [];
  fill(byId("contests"));
  show(byId("own-form"), false);
  show(byId("own-verdict-box"), false);
  show(byId("own-start"));
  show(byId("own"), Boolean(valid));
}

export function listen() {
  byId("own-begin").addEventListener("click", begin);
  byId("own-form").addEventListener("submit", compare);
}

async function begin() {
  const button = byId("own-begin");
  if (isBusy(button)) return;
  const idle = busy(button, t("check.loading"));
  show(byId("own-verdict-box"), false);
  try {
    const drawn = await draw();
    if (drawn.verdict !== "contests") return showCompared(drawn);
    show(byId("own-start"), false);
    show(byId("own-form"));
    focus(byId("own-form-heading"));
  } catch (failure) {
    console.warn(String(failure));
    showCompared({ verdict: "undecided", missing: "parts" });
  } finally {
    idle();
  }
}

/** Fetches or reads what the election asks, and draws its papers; the verifier's last answer. */
async function draw() {
  const { genesis, receipt, election } = checked;
  proof = isKept ? await chosen("election-file") : await fetched(`/api/elections/${election}/proof`);
  if (!proof) return { verdict: "undecided", missing: "election" };
  const found = await ask("election", genesis, receipt, proof);
  if (found.verdict !== "election") return found;
  const told = {};
  for (const program of isKept ? await chosenRules() : await fetchedRules(found.rules)) {
    const { sha256, manifest } = await describe(program);
    told[sha256] = manifest;
  }
  rules = JSON.stringify(told);
  const drawn = await ask("contests", genesis, proof, rules);
  if (drawn.verdict !== "contests") return drawn;
  contests = drawn.contests.map((contest, index) =>
    makeContest({ contest, manifest: contest.manifest, index, total: drawn.contests.length, marked: () => show(byId("own-verdict-box"), false) }),
  );
  if (contests.includes(null)) return { verdict: "undecided", missing: "rule" };
  fill(byId("own-election"), bdi(found.title));
  fill(byId("contests"), ...contests.map((contest) => contest.element));
  return drawn;
}

async function fetched(path) {
  return (await call("GET", path, { raw: true })).bytes;
}

function fetchedRules(hashes) {
  return Promise.all(hashes.map((hash) => fetched(`/api/plugins/${hash}/wasm`)));
}

function chosenRules() {
  return Promise.all([...byId("rule-files").files].map(bytesOf));
}

async function compare(event) {
  event.preventDefault();
  const wrong = contests.find((contest) => contest.problem());
  if (wrong) return focus(wrong.element);
  const { genesis, receipt } = checked;
  showCompared(await ask("choice", genesis, receipt, proof, rules, JSON.stringify(ballotOf(contests))));
}

const STATES = { same: "confirmed", other: "rejected" };

function showCompared({ verdict, missing, detail }) {
  const isCompared = verdict in STATES;
  const heading = byId("own-verdict-heading");
  fill(heading, isCompared ? t(`check.own-${verdict}`) : t("check.own-undecided"));
  const words = isCompared ? t(`check.more-${verdict}`) : t(`check.undecided-${missing ?? "parts"}`);
  fill(byId("own-verdict"), words);
  byId("own-verdict").dataset.state = STATES[verdict] ?? "pending";
  fill(byId("own-detail"), ...(detail ? [`${t("check.in-short")} `, english(detail)] : []));
  show(byId("own-detail"), Boolean(detail));
  show(byId("own-verdict-box"));
  focus(heading);
  say(`${heading.textContent}. ${words}`);
}
