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
  if (before === undefined) renew(blocks);
  else fill(byId("blocks"), ...blocks.map(row));
  oldest = blocks.length > 0 ? blocks[blocks.length - 1].number : 0;
  show(byId("older"), oldest > 1);
  show(byId("found"));
}

/** New blocks come on top and old ones go; those that stay are not touched, and a reader's focus with them. */
function renew(blocks) {
  const body = byId("blocks");
  const newest = Number(body.firstElementChild?.dataset.number ?? 0);
  const wanted = new Map(blocks.map((block) => [String(block.number), block]));
  for (const old of [...body.children]) {
    const block = wanted.get(old.dataset.number);
    if (block) old.querySelector(".signed").textContent = signedBy(block);
    else old.remove();
  }
  const stays = body.children.length > 0 ? newest : 0;
  body.prepend(...blocks.filter((block) => block.number > stays).map(row));
}

function signedBy({ signatures: { count, of } }) {
  return t("chain.signed-by", { count: number(count), of: number(of) });
}

function row(block) {
  return make(
    "tr",
    { "data-number": block.number },
    make("th", { scope: "row", class: "number" }, link(`chain/blocks/${block.number}`, number(block.number))),
    make("td", { class: "time" }, time(block.timestamp)),
    make("td", { class: "number" }, number(block.transactions)),
    make("td", { class: "signed" }, signedBy(block)),
    make("td", {}, make("bdi", {}, block.proposer ?? "–")),
  );
}
