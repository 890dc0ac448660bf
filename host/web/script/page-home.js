// All elections, those that are open first.

import { get } from "./api.js";
import { bdi, byId, fill, link, make, show } from "./dom.js";
import { electionPath, place, stateSentence, turnoutSentence } from "./election-state.js";
import { follow } from "./events.js";
import { networkLine } from "./network.js";
import { begin, say } from "./problem.js";
import { frame } from "./shell.js";
import { plural, t } from "./text.js";

/** From so many on there is a field to search. */
const SEARCH_FROM = 8;
const STATUSES = ["open", "upcoming", "closed"];

let elections = [];
/** What of each shown card changes while people vote. */
let cards = new Map();

frame();
byId("search").addEventListener("input", () => {
  const count = list();
  say(plural("home.found", count));
});
networkLine();
begin(async () => {
  await look();
  follow(["turnout"], (event) => (event ? hear(event) : look().catch(() => {})));
});

async function look() {
  const found = await get("/api/elections");
  const kind = (all) => JSON.stringify(all.map(({ election_id: id, status, title }) => [id, status, title]));
  const isSame = kind(found) === kind(elections) && !byId("found").hidden;
  elections = found;
  // Cards are made again only where others are needed: a reader's focus stays where it is.
  if (isSame) return elections.forEach(refresh);
  show(byId("found"));
  show(byId("filter"), elections.length >= SEARCH_FROM);
  show(byId("none"), elections.length === 0);
  list();
}

/** An event says all that a card shows; of an election that is new here it does not. */
function hear({ election_id: id, status, turnout }) {
  const known = elections.find((election) => election.election_id === id);
  if (!known) return look().catch(() => {});
  const isSame = known.status === status;
  Object.assign(known, { status, turnout });
  if (isSame) refresh(known);
  else list();
}

function refresh(election) {
  const card = cards.get(election.election_id);
  if (!card) return;
  card.about.textContent = aboutOf(election);
  if (card.bar) card.bar.value = Math.min(election.turnout, election.roll_size);
}

function aboutOf(election) {
  return `${stateSentence(election.status)} ${plural("home.contests", election.contests)} ${turnoutSentence(election)}`;
}

/** Fills the lists; how many elections they have. */
function list() {
  const wanted = byId("search").value.trim().toLocaleLowerCase();
  const matching = elections.filter((election) => election.title.toLocaleLowerCase().includes(wanted));
  cards = new Map();
  for (const status of STATUSES) {
    const those = matching.filter((election) => place(election.status) === status);
    // The newest first.
    those.sort((a, b) => b.election_id - a.election_id);
    fill(byId(`list-${status}`), ...those.map(card));
    show(byId(`section-${status}`), those.length > 0);
  }
  show(byId("no-match"), elections.length > 0 && matching.length === 0);
  return matching.length;
}

function card(election) {
  const { election_id: id, status, turnout, roll_size: roll } = election;
  const next = { open: "vote", closed: "results", final: "results" }[status];
  const go = next ? link(electionPath(id, next), t(`home.${next}`), make("span", { class: "unseen" }, `: `, bdi(election.title))) : null;
  go?.classList.add("button");
  const bar = roll > 0 ? make("progress", { max: roll, value: Math.min(turnout, roll), "aria-hidden": "true" }) : null;
  const about = make("p", { class: "hint" }, aboutOf(election));
  cards.set(id, { about, bar });
  const heading = make("h3", {}, link(electionPath(id), bdi(election.title)));
  return make("li", { class: "card" }, heading, about, bar, go ? make("p", { class: "actions" }, go) : null);
}
