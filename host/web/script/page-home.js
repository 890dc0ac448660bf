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

frame();
byId("search").addEventListener("input", () => {
  const count = list();
  say(plural("home.found", count));
});
networkLine();
begin(async () => {
  await look();
  follow(["turnout"], () => look().catch(() => {}));
});

async function look() {
  const found = await get("/api/elections");
  if (JSON.stringify(found) === JSON.stringify(elections) && !byId("found").hidden) return;
  elections = found;
  show(byId("found"));
  show(byId("filter"), elections.length >= SEARCH_FROM);
  show(byId("none"), elections.length === 0);
  list();
}

/** Fills the lists; how many elections they have. */
function list() {
  const wanted = byId("search").value.trim().toLocaleLowerCase();
  const matching = elections.filter((election) => election.title.toLocaleLowerCase().includes(wanted));
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
  const { election_id: id, status, turnout, roll_size: roll, contests } = election;
  const next = { open: "vote", closed: "results", final: "results" }[status];
  const go = next ? link(electionPath(id, next), t(`home.${next}`), make("span", { class: "unseen" }, `: `, bdi(election.title))) : null;
  go?.classList.add("button");
  const bar = roll > 0 ? make("progress", { max: roll, value: Math.min(turnout, roll), "aria-hidden": "true" }) : null;
  const about = make("p", { class: "hint" }, `${stateSentence(status)} ${plural("home.contests", contests)} ${turnoutSentence(election)}`);
  const heading = make("h3", {}, link(electionPath(id), bdi(election.title)));
  return make("li", { class: "card" }, heading, about, bar, go ? make("p", { class: "actions" }, go) : null);
}
