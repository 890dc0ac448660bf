// A receipt on paper: a QR code that leads to the ballot's page, and says which ballot and which file it is of. All of it
// stands after the #, which is sent to no server.

import { call } from "./api.js";
import { ask, loadVerifier } from "./check/verifier.js";
import { byId, draw, fact, fill, here, show } from "./dom.js";
import { hash } from "./hash.js";
import { say } from "./problem.js";
import { number, t } from "./text.js";

/** Digits of a fingerprint that a code carries: 128 bits, which nobody meets by trying. */
const DIGITS = 32;
/** Light modules around a code, which scanners need. */
const QUIET = 4;

const short = (digest) => digest.replace(/^0x/, "").slice(0, DIGITS);

/** What a receipt says that holds on this site's network and is of this ballot; nothing where it is no such receipt. */
async function checked(receipt, id) {
  await loadVerifier();
  const { bytes: genesis } = await call("GET", "/api/genesis", { raw: true });
  const { verdict, receipt: summary } = await ask("receipt", genesis, receipt);
  return verdict === "valid" && summary.transaction_id === id ? summary : null;
}

/** Draws the paper of a receipt; whether there is one, because none is printed of a receipt that does not hold. */
export async function showPaper(id, receipt) {
  const summary = await checked(receipt, id);
  if (!summary) {
    sayOfPaper("ballot.paper-not-valid", "rejected");
    return false;
  }
  const { sha256 } = await ask("sha256", receipt);
  const { election_id: election, ballot_hash: ballot } = summary;
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
  return true;
}

/** Says whether a paper whose code led here is of the ballot whose receipt this is. */
export async function comparePaper({ number: printed, ballot, file }, receipt) {
  const summary = await checked(receipt, printed);
  if (!summary) return sayOfPaper("ballot.paper-not-valid", "rejected");
  if (short(summary.ballot_hash) !== ballot) return sayOfPaper("ballot.paper-other", "rejected");
  const { sha256 } = await ask("sha256", receipt);
  sayOfPaper(short(sha256) === file ? "ballot.paper-same-file" : "ballot.paper-same-ballot", "confirmed");
}

/** Says what is so of a paper, beside how the ballot stands. */
export function sayOfPaper(name, state) {
  const line = byId("paper-state");
  line.textContent = t(name);
  line.dataset.state = state;
  show(line);
  say(line.textContent);
}
