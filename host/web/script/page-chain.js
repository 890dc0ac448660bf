// The newest blocks, as they come, until the reader pauses them.

import { get } from "./api.js";
import { byId, fill, link, make, show } from "./dom.js";
import { follow } from "./events.js";
import { networkLine } from "./network.js";
import { begin, say } from "./problem.js";
import { frame } from "./shell.js";
import { number, t, time } from "./text.js";

let following = null;
let oldest = 0;

frame();
networkLine();
byId("pause").addEventListener("click", () => setPaused(following !== null));
byId("older").addEventListener("click", () => {
  setPaused(true);
  begin(() => look(oldest - 1));
});
begin(async () => {
  await look();
  setPaused(false);
});

function setPaused(isPaused) {
  if (isPaused === (following === null) && byId("pause").dataset.touched) return;
  byId("pause").dataset.touched = "yes";
  following?.stop();
  following = isPaused ? null : follow(["block"], () => look().catch(() => {}));
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  say(t(isPaused ? "chain.paused" : "chain.live"));
}

async function look(before) {
  const { blocks } = await get(before === undefined ? "/api/blocks" : `/api/blocks?before=${before}`);
  // A late answer does not undo what the reader asked for.
  if (before === undefined && following === null && byId("pause").dataset.touched) return;
  fill(byId("blocks"), ...blocks.map(row));
  oldest = blocks.length > 0 ? blocks[blocks.length - 1].number : 0;
  show(byId("older"), oldest > 1);
  show(byId("found"));
}

function row(block) {
  const { count, of } = block.signatures;
  return make(
    "tr",
    {},
    make("th", { scope: "row", class: "number" }, link(`chain/blocks/${block.number}`, number(block.number))),
    make("td", {}, time(block.timestamp)),
    make("td", { class: "number" }, number(block.transactions)),
    make("td", {}, t("chain.signed-by", { count: number(count), of: number(of) })),
    make("td", {}, make("bdi", {}, block.proposer ?? "–")),
  );
}
