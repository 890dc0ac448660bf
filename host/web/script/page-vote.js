// The page of the booth: who votes, in what, and whether they have.

import { Failure, get } from "./api.js";
import { makeContest } from "./ballots/contest.js";
import { booth, electionNow, ownBallot } from "./booth.js";
import { bdi, byId, fill, focus, here, link, make, show, subject } from "./dom.js";
import { electionPath } from "./election-state.js";
import { begin, problemBox, say, sentence } from "./problem.js";
import { asVoter, session, takeToken, watch } from "./session.js";
import { frame } from "./shell.js";
import { signInForm } from "./sign-in.js";
import { attempt, keepAttempt } from "./store.js";
import { rich, t } from "./text.js";

/** Pause between two looks at whether the election still takes ballots. */
const LOOK_MS = 20_000;

const id = Number(subject());
let election = null;
let own = null;

frame();
takeToken();
// A link with another token, opened in this tab.
addEventListener("hashchange", () => {
  const taken = takeToken();
  if (taken === "same" && own) begin(enter);
  else if (taken !== "none") location.reload();
});
// Come back to by the browser's own memory: what was cast since is not known to it.
addEventListener("pageshow", (event) => event.persisted && location.reload());
watch(() => location.reload());
byId("to-election").href = here(electionPath(id));
signInForm(() => begin(enter));
begin(start);

async function start() {
  election = await get(`/api/elections/${id}`);
  fill(byId("title"), bdi(election.title));
  document.title = `${election.title} · Tabella`;
  if (election.status !== "open") return notice(t(`vote.${election.status}`), resultsLink());
  if (election.eligibility.kind === "credentials") return notice(t("vote.credentials"));
  await enter();
}

/** Lets the voter in, or says why not. */
async function enter() {
  if (!session()) return askWho();
  let standing;
  try {
    standing = (await asVoter("GET", `/api/votes/status?election_id=${id}`)).data;
  } catch (failure) {
    if (failure.status === 401) return askWho(failure);
    throw failure;
  }
  show(byId("voter"), false);
  fill(byId("notice"));
  const earlier = attempt(id);
  const before = standing.has_voted ? standing.vote.transaction_id : earlier && !earlier.isKnown ? earlier.id : null;
  const known = before ? await ownBallot(id, before) : null;
  if (known && known.status !== "rejected") {
    keepAttempt(id, { id: known.transaction_id, isKnown: true, chain: known.chain_transaction_id });
    const see = make("a", { href: `${here("ballot")}#t=${known.chain_transaction_id}` }, t("vote.see-ballot"));
    if (election.revote !== "last") return notice(t("vote.voted"), see);
    notice(t("vote.voted-again"), see);
    byId("cast").textContent = t("vote.cast-change");
  }
  await sayWho();
  // Somebody who signed in again while casting finds the marks where they were.
  if (own) return focus(byId(own.isReviewing() ? "cast" : "mark-heading"));
  await openBooth();
}

/** Names the voter: a link may be somebody else's, and a device may be shared. */
async function sayWho() {
  const { data } = await asVoter("GET", "/api/auth/profile");
  fill(byId("who"), ...rich("vote.as", { name: make("strong", {}, bdi(data.username)) }));
  show(byId("who"));
}

async function openBooth() {
  const { contests } = election;
  const hashes = [...new Set(contests.map((contest) => contest.rule.sha256))];
  const rules = new Map(await Promise.all(hashes.map(async (sha) => [sha, (await get(`/api/plugins/${sha}`)).manifest])));
  const made = contests.map((contest, index) =>
    makeContest({ contest, manifest: rules.get(contest.rule.sha256), index, total: contests.length, marked: () => own?.marked() }),
  );
  if (made.includes(null)) return notice(t("vote.unknown-kind"));
  own = booth({ election, contests: made, signedOut: (failure) => askWho(failure) });
  show(byId("mark"));
  setTimeout(lookAgain, LOOK_MS);
}

/** Says when the election has closed while somebody was marking. */
async function lookAgain() {
  try {
    const now = await electionNow(id);
    if (now.status !== "open") return own.close(t("vote.closed-meanwhile"));
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
  }
  setTimeout(lookAgain, LOOK_MS);
}

/** Asks who votes; `failure` is why nobody is signed in any more. */
function askWho(failure) {
  const { kind, open_to: openTo } = election.eligibility;
  const takesAccounts = openTo === "accounts" || kind === "registrar_roll";
  byId("voter-lead").textContent = t(openTo === "accounts" ? "vote.by-account" : takesAccounts ? "vote.by-roll" : "vote.by-link");
  show(byId("voter-form"), takesAccounts);
  show(byId("voter"));
  if (!failure) return;
  const ended = own ? t("vote.ended-marked") : sentence(failure);
  fill(byId("notice"), make("p", { class: "box warning" }, ended));
  say(ended);
  focus(byId("voter-heading"));
}

function notice(text, ...more) {
  fill(byId("notice"), make("div", { class: "box" }, make("p", {}, text), more.length > 0 ? make("p", {}, ...more) : null));
}

function resultsLink() {
  return election.status === "upcoming" ? link(electionPath(id), t("vote.about-election")) : link(electionPath(id, "results"), t("election.see-results"));
}

// What no code here expected is shown like any failure.
addEventListener("unhandledrejection", ({ reason }) => {
  if (reason instanceof Failure) fill(byId("problem"), problemBox(reason));
});
