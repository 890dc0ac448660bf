// Checks a receipt on this device: nothing that is chosen here is sent anywhere.

import { Failure, call } from "./api.js";
import { TooLarge, chosen, pasted, sayAt, takeDropped } from "./check/files.js";
import { listen, offer } from "./check/own-ballot.js";
import { showVerdict } from "./check/verdict.js";
import { ask, isKept, loadVerifier } from "./check/verifier.js";
import { byId, english, fill, show } from "./dom.js";
import { busy, isBusy } from "./forms.js";
import { hashToCopy } from "./hash.js";
import { begin, say } from "./problem.js";
import { frame } from "./shell.js";
import { number, t } from "./text.js";

/** The genesis of this server; nothing in the file to keep. */
let own = null;

frame();
begin(async () => {
  await loadVerifier();
  if (!isKept) own = await genesisOfSite();
  await showNetwork();
  show(byId("found"));
});
listen();
byId("check-form").addEventListener("submit", check);
byId("genesis-file").addEventListener("change", showNetwork);
byId("receipt-file").addEventListener("change", () => {
  forget();
  if (byId("receipt-file").files.length > 0) byId("receipt-text").value = "";
});
byId("receipt-text").addEventListener("input", () => {
  forget();
  byId("receipt-file").value = "";
});
byId("known-hash").addEventListener("input", forget);
takeDropped("receipt-file", () => byId("check-form").requestSubmit());

/** What was said is not of what is chosen now. */
function forget() {
  offer(null);
  show(byId("verdict"), false);
}

/** Without it, or where what comes is none, the page still takes a file. */
async function genesisOfSite() {
  try {
    const { bytes } = await call("GET", "/api/genesis", { raw: true });
    return (await ask("genesis", bytes)).verdict === "genesis" ? bytes : null;
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    return null;
  }
}

async function genesis() {
  return (await chosen("genesis-file")) ?? own;
}

/** Says which network receipts are checked against. */
async function showNetwork() {
  forget();
  let words = t("check.no-network");
  let shown = [];
  try {
    const bytes = await genesis();
    const pinned = bytes ? await ask("genesis", bytes) : null;
    if (pinned?.verdict === "genesis") {
      words = t(byId("genesis-file").files.length > 0 ? "check.network-given" : "check.network-own", { name: pinned.network, count: number(pinned.validators) });
      shown = [hashToCopy(pinned.hash, t("check.copy-genesis"))];
    } else if (pinned) {
      sayAt("genesis-file", t("check.not-a-genesis"));
      words = t("check.not-a-genesis");
    }
    if (!pinned || pinned.verdict === "genesis") sayAt("genesis-file", "");
  } catch (failure) {
    words = t(failure instanceof TooLarge ? "check.too-large" : "check.failed");
    sayAt("genesis-file", words);
    if (!(failure instanceof TooLarge)) console.warn(String(failure));
  }
  fill(byId("network"), words);
  fill(byId("network-hash"), ...shown);
}

async function check(event) {
  event.preventDefault();
  const button = byId("check-now");
  if (isBusy(button)) return;
  forget();
  const idle = busy(button, t("check.checking"));
  try {
    const receipt = pasted("receipt-text") ?? (await chosen("receipt-file"));
    sayAt("receipt-file", receipt ? "" : t("check.missing"));
    if (!receipt) return byId("receipt-file").focus();
    await judge(receipt);
  } catch (failure) {
    const words = failure instanceof TooLarge ? t("check.too-large") : t("check.failed");
    fill(byId("receipt-file-error"), words, " ", failure instanceof TooLarge ? null : english(String(failure)));
    show(byId("receipt-file-error"));
    say(words);
  } finally {
    idle();
  }
}

async function judge(receipt) {
  const bytes = await genesis();
  const isGiven = byId("genesis-file").files.length > 0;
  if (!bytes) return showVerdict({ verdict: "no-genesis" });
  const pinned = await ask("genesis", bytes);
  const known = byId("known-hash").value.replace(/\s+/g, "").toLowerCase().replace(/^0x/, "");
  if (known && pinned.hash?.replace(/^0x/, "") !== known) return showVerdict({ verdict: "undecided", missing: "other-hash" });
  const answer = await ask("receipt", bytes, receipt);
  showVerdict({ ...answer, isOfSite: !isGiven && !known });
  if (answer.verdict === "valid") offer({ genesis: bytes, receipt, election: answer.receipt.election_id });
}
