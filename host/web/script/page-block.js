// One block: its header, who signed, and the ids of its transactions.

import { get } from "./api.js";
import { byId, fact, fill, link, make, show, subject } from "./dom.js";
import { hash, hashToCopy } from "./hash.js";
import { begin } from "./problem.js";
import { frame } from "./shell.js";
import { number, t, time } from "./text.js";

/** Ids that are shown at first. */
const SHOWN = 200;

frame();
begin(async () => {
  const block = await get(`/api/blocks/${subject()}`);
  const { count, of } = block.signatures;
  byId("title").textContent = t("block.title", { number: number(block.number) });
  document.title = `${t("block.title", { number: number(block.number) })} · Tabella`;
  byId("state").textContent = t("block.signed", { count: number(count), of: number(of) });
  byId("state").dataset.state = count >= of ? "final" : "closed";
  fill(byId("facts"), ...facts(block));
  const before = block.number > 1 ? link(`chain/blocks/${block.number - 1}`, t("block.before")) : null;
  fill(byId("around"), before, link(`chain/blocks/${block.number + 1}`, t("block.after")));
  transactions(block.transaction_ids);
  show(byId("found"));
});

function facts(block) {
  return [
    fact(t("block.time"), time(block.timestamp)),
    fact(t("block.proposer"), make("bdi", {}, block.proposer ?? "–")),
    fact(t("block.hash"), hashToCopy(block.hash, t("block.copy-hash"))),
    fact(t("block.parent"), hash(block.parent_hash)),
    fact(t("block.transactions-root"), hash(block.transactions_root)),
    fact(t("block.boards-root"), hash(block.boards_root)),
    fact(t("block.state-root"), hash(block.state_root)),
  ];
}

function transactions(ids) {
  show(byId("withheld"), ids === undefined);
  show(byId("none"), ids?.length === 0);
  const item = (id) => make("li", {}, hash(id));
  const list = byId("transactions");
  fill(list, ...(ids ?? []).slice(0, SHOWN).map(item));
  if ((ids?.length ?? 0) <= SHOWN) return;
  const all = () => {
    fill(list, ...ids.map(item));
    more.remove();
  };
  const more = make("p", { class: "actions" }, make("button", { type: "button", on: { click: all } }, t("block.all", { count: number(ids.length) })));
  list.after(more);
}
