// Who is signed in, and the ballots that stand in that name.

import { byId, fact, fill, focus, here, link, make, show } from "./dom.js";
import { electionPath } from "./election-state.js";
import { ownBallot } from "./booth.js";
import { busy, isBusy } from "./forms.js";
import { problemBox } from "./problem.js";
import { asVoter, session, signOut, watch } from "./session.js";
import { frame } from "./shell.js";
import { signInForm } from "./sign-in.js";
import { keepAttempt } from "./store.js";
import { number, t, time } from "./text.js";

frame();
watch(() => look());
signInForm(async () => {
  await look();
  focus(byId("title"));
});
byId("sign-out").addEventListener("click", async () => {
  await signOut();
  await look();
  focus(byId("title"));
});
look();

async function look() {
  const isKnown = Boolean(session());
  fill(byId("problem"));
  show(byId("stranger"), !isKnown);
  show(byId("known"), isKnown);
  show(byId("votes"), false);
  if (!isKnown) return;
  try {
    const { data } = await asVoter("GET", "/api/auth/profile");
    fill(byId("facts"), ...facts(data));
    if (data.role === "voter") await votes();
  } catch (failure) {
    if (failure.kind === undefined) throw failure;
    if (failure.status === 401) await look();
    fill(byId("problem"), problemBox(failure, failure.status === 401 ? null : look));
  }
}

function facts({ username, role, created_at: created, realm }) {
  return [
    fact(t("account.name"), make("bdi", {}, username)),
    fact(t("account.role"), t(`account.role-${role}`)),
    realm ? fact(t("account.realm"), t(`account.realm-${realm}`)) : null,
    created ? fact(t("account.since"), time(created)) : null,
  ].filter(Boolean);
}

async function votes() {
  const { data } = await asVoter("GET", "/api/votes/history");
  fill(byId("votes-list"), ...data.map(card));
  show(byId("votes-none"), data.length === 0);
  show(byId("votes"));
}

function card(vote) {
  const { election_id: election, status, submitted_at: submitted } = vote;
  const see = make("button", { type: "button", on: { click: () => open(vote, see) } }, t("account.see-ballot"));
  return make(
    "li",
    { class: "card" },
    make("h3", {}, link(electionPath(election), t("account.election", { id: number(election) }))),
    make("p", {}, `${t(`standing.${status}`)}. ${t("account.cast-at", { time: time(submitted) })}`),
    make("p", { class: "actions" }, see),
  );
}

/** The ballot's page knows it by the chain's id, which only its voter is told. */
async function open({ election_id: election, transaction_id: id }, button) {
  if (isBusy(button)) return;
  const idle = busy(button, t("ballot.loading"));
  try {
    const known = await ownBallot(election, id);
    if (!known) return;
    keepAttempt(election, { id: known.transaction_id, isKnown: true, chain: known.chain_transaction_id });
    location.assign(`${here("ballot")}#t=${known.chain_transaction_id}`);
  } catch (failure) {
    if (failure.kind === undefined) throw failure;
    fill(byId("problem"), problemBox(failure));
  } finally {
    idle();
  }
}
