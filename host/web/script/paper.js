// A receipt on paper: a QR code that leads to the ballot's page, and says which ballot and which file it is of. All of it
// stands after the #, which is sent to no server.

import { ask, loadVerifier } from "./check/verifier.js";
import { byId, draw, fact, fill, here, show } from "./dom.js";
import { hash } from "./hash.js";
import { number, t } from "./text.js";

/** Digits of a fingerprint that a code carries: 128 bits, which nobody meets by trying. */
const DIGITS = 32;
/** Light modules around a code, which scanners need. */
const QUIET = 4;

const short = (digest) => digest.replace(/^0x/, "").slice(0, DIGITS);
const entryOf = (receipt) => JSON.parse(new TextDecoder().decode(receipt)).entry;

/** Draws the paper of a receipt. */
export async function showPaper(id, receipt) {
  await loadVerifier();
  const { sha256 } = await ask("sha256", receipt);
  const { election_id: election, ballot_hash: ballot } = entryOf(receipt);
  const code = new URLSearchParams({ t: id, b: short(ballot), r: short(sha256) });
  const address = `${location.origin}${here("ballot")}#${code}`;
  const { size, path } = await ask("qr", address);
  const side = size + 2 * QUIET;
  const picture = draw(
    "svg",
    { class: "code", viewBox: `${-QUIET} ${-QUIET} ${side} ${side}`, role: "img", "aria-label": t("ballot.paper-code"), "shape-rendering": "crispEdges" },
    draw("path", { d: path }),
  );
  fill(byId("paper-code"), picture);
  fill(
    byId("paper-facts"),
    fact(t("ballot.election"), number(election)),
    fact(t("ballot.number"), hash(id)),
    fact(t("ballot.paper-ballot"), hash(ballot)),
    fact(t("ballot.paper-file"), hash(sha256)),
  );
  byId("paper-address").textContent = address;
  document.body.dataset.paper = "shown";
  show(byId("paper"));
}

/** Says whether a paper whose code led here is of the ballot whose receipt this is. */
export async function comparePaper({ ballot, receipt: printed }, receipt) {
  await loadVerifier();
  const { sha256 } = await ask("sha256", receipt);
  const isSame = short(entryOf(receipt).ballot_hash) === ballot;
  const name = isSame && short(sha256) === printed ? "ballot.paper-same-file" : isSame ? "ballot.paper-same-ballot" : "ballot.paper-other";
  const line = byId("paper-state");
  line.textContent = t(name);
  line.dataset.state = isSame ? "confirmed" : "rejected";
  show(line);
}
