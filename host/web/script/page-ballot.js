// How a ballot stands, live, and its receipt.

import { Failure, call } from "./api.js";
import { byId, english, fact, fill, focus, here, link, show } from "./dom.js";
import { electionPath } from "./election-state.js";
import { follow } from "./events.js";
import { busy, isBusy } from "./forms.js";
import { hashToCopy } from "./hash.js";
import { comparePaper, sayOfPaper, showPaper } from "./paper.js";
import { begin, problemBox, say } from "./problem.js";
import { signOut } from "./session.js";
import { frame } from "./shell.js";
import { isSettled, standingOf } from "./standing.js";
import { number, t, time } from "./text.js";

const HASH = /^0x[0-9a-f]{64}$/;

let id = "";
/** What a printed receipt says of itself, where its code led here. */
let paper = null;
let shown = "";
let rendered = "";
let validators = 0;
let following = null;

frame();
addEventListener("hashchange", start);
byId("ask").addEventListener("submit", ask);
byId("save").addEventListener("click", save);
byId("print").addEventListener("click", onPaper);
byId("finish").addEventListener("click", finish);
start();

function start() {
  following?.stop();
  const given = new URLSearchParams(location.hash.slice(1));
  id = given.get("t") ?? "";
  paper = given.has("b") ? { number: id, ballot: given.get("b"), file: given.get("r") } : null;
  show(byId("paper"), false);
  delete document.body.dataset.paper;
  show(byId("paper-state"), false);
  shown = "";
  rendered = "";
  show(byId("found"), false);
  show(byId("ask"), !HASH.test(id));
  if (!HASH.test(id)) {
    show(byId("wait"), false);
    if (id) refuseNumber(id);
    return;
  }
  begin(async () => {
    await look();
    if (paper) await lookAtPaper();
    following = follow(["confirmations", "level"], lookAgain);
  });
}

function ask(event) {
  event.preventDefault();
  const given = byId("number").value.replace(/\s+/g, "").toLowerCase();
  const number_ = given.startsWith("0x") ? given : `0x${given}`;
  if (!HASH.test(number_)) return refuseNumber(given);
  show(byId("number-error"), false);
  byId("number").removeAttribute("aria-invalid");
  location.hash = `t=${number_}`;
}

function refuseNumber() {
  fill(byId("number-error"), t("ballot.not-a-number"));
  show(byId("number-error"));
  byId("number").setAttribute("aria-invalid", "true");
  byId("number").focus();
}

async function lookAgain(event) {
  // An event that names other ballots says nothing of this one.
  const others = event?.name === "confirmations" ? event.chain_transaction_ids : [];
  if (others.length > 0 && !others.includes(id)) return;
  try {
    await look();
    fill(byId("problem"));
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    // What is shown stays, with word of why it is not newer.
    fill(byId("problem"), problemBox(failure));
  }
}

async function look() {
  const standing = await standingOf(id);
  if (standing.chain_transaction_id !== id) {
    id = standing.chain_transaction_id;
    history.replaceState(null, "", `#t=${id}`);
  }
  render(standing);
  if (isSettled(standing)) following?.stop();
}

function render(standing) {
  const { status, signatures, block_number: block } = standing;
  const said = JSON.stringify({ ...standing, confirmations: 0 });
  if (said === rendered) return;
  rendered = said;
  show(byId("found"));
  validators = signatures.of;
  byId("command").textContent = `tabella verify receipt ${fileName()} --genesis genesis.json`;
  const values = { block: number(block ?? 0), count: number(signatures.count), of: number(signatures.of) };
  byId("state").textContent = t(`standing.${status}-more`, values);
  byId("state").dataset.state = status;
  const isWaiting = status === "local" || status === "recorded";
  byId("warning").textContent = isWaiting ? t(`standing.${status}-warning`) : "";
  show(byId("warning"), isWaiting);
  fill(byId("facts"), ...facts(standing));
  show(byId("receipt"), status === "confirmed");
  if (shown !== status) {
    shown = status;
    // The heading says the new state, and the focus makes it heard.
    byId("title").textContent = t(`standing.${status}`);
    document.title = `${t(`standing.${status}`)} · Tabella`;
    focus(byId("title"));
  }
}

function facts(standing) {
  const { election_id: election, block_number: block, voter, submitted_at: submitted, confirmed_at: confirmed } = standing;
  return [
    fact(t("ballot.number"), hashToCopy(standing.chain_transaction_id, t("ballot.copy-number"))),
    standing.reason ? fact(t("ballot.reason"), english(standing.reason)) : null,
    election ? fact(t("ballot.election"), link(electionPath(election), number(election))) : null,
    block ? fact(t("ballot.block"), link(`chain/blocks/${block}`, number(block))) : null,
    voter ? fact(t("ballot.pseudonym"), hashToCopy(voter, t("ballot.copy-pseudonym"))) : null,
    submitted ? fact(t("ballot.submitted"), time(submitted)) : null,
    confirmed ? fact(t("ballot.confirmed"), time(confirmed)) : null,
  ].filter(Boolean);
}

function save() {
  return withReceipt("save", save, (bytes) => {
    handOver(bytes);
    sayAcks(bytes);
  });
}

function onPaper() {
  return withReceipt("print", onPaper, async (bytes) => {
    try {
      if (!(await showPaper(id, bytes))) return;
    } catch (failure) {
      // A page without the code is better than none.
      console.warn(String(failure));
      say(t("ballot.paper-not-checked"));
    }
    print();
  });
}

/** A receipt is printed of a confirmed ballot alone. */
async function lookAtPaper() {
  if (shown !== "confirmed") return sayOfPaper("ballot.paper-not-confirmed", "pending");
  try {
    await comparePaper(paper, await receipt());
  } catch (failure) {
    console.warn(String(failure));
    sayOfPaper("ballot.paper-not-compared", "pending");
  }
}

async function receipt() {
  const query = new URLSearchParams({ transaction_id: id });
  return (await call("GET", `/api/votes/receipt?${query}`, { raw: true })).bytes;
}

/** Fetches the receipt for what a button does with it. */
async function withReceipt(name, again, use) {
  const button = byId(name);
  if (isBusy(button)) return;
  const idle = busy(button, t("ballot.saving"));
  fill(byId("receipt-problem"));
  try {
    await use(await receipt());
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    fill(byId("receipt-problem"), problemBox(failure, again));
  } finally {
    idle();
  }
}

function fileName() {
  return `receipt-${id.slice(2, 10)}.json`;
}

/** Gives the receipt as it came, byte for byte. */
function handOver(bytes) {
  const address = URL.createObjectURL(new Blob([bytes], { type: "application/json" }));
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = fileName();
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Says whether a receipt of a little later would prove more. */
function sayAcks(bytes) {
  const acks = JSON.parse(new TextDecoder().decode(bytes)).acks?.length ?? 0;
  const line = byId("receipt-acks");
  const values = { count: number(acks), of: number(validators) };
  line.textContent = t(acks >= validators ? "ballot.acks-all" : "ballot.acks-some", values);
  show(line);
  say(t("ballot.saved"));
}

async function finish() {
  following?.stop();
  await signOut();
  location.replace(here(""));
}
