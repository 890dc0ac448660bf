// What is said of a receipt, in a voter's words.

import { byId, english, fact, fill, focus, show } from "../dom.js";
import { hash } from "../hash.js";
import { say } from "../problem.js";
import { number, t } from "../text.js";

/** Shows an answer of the verifier, and moves the focus to it. */
export function showVerdict(answer) {
  const { heading, words, rests, state, facts, detail } = read(answer);
  fill(byId("verdict-heading"), heading);
  fill(byId("verdict-state"), words);
  byId("verdict-state").dataset.state = state;
  fill(byId("verdict-detail"), ...(detail ? [`${t("check.in-short")} `, english(detail)] : []));
  show(byId("verdict-detail"), Boolean(detail));
  fill(byId("verdict-rests"), rests);
  byId("verdict-rests").classList.toggle("warning", Boolean(answer.isOfSite));
  show(byId("verdict-rests"), Boolean(rests));
  fill(byId("verdict-facts"), ...facts);
  show(byId("verdict-facts"), facts.length > 0);
  show(byId("verdict"));
  focus(byId("verdict-heading"));
  say([`${heading}.`, words, rests].filter(Boolean).join(" "));
}

function read(answer) {
  switch (answer.verdict) {
    case "valid":
      return {
        heading: t("check.valid"),
        words: t("check.valid-more", values(answer.receipt)),
        rests: t(answer.isOfSite ? "check.valid-of-site" : "check.valid-of-known"),
        state: "confirmed",
        facts: factsOf(answer),
      };
    case "not-valid":
      return {
        heading: t("check.not-valid"),
        words: `${t(`check.why-${answer.why}`)} ${t(answer.why === "other-network" ? "check.look-at-network" : "check.report")}`,
        state: "rejected",
        facts: [],
        detail: answer.detail,
      };
    case "not-a-receipt":
      return { heading: t("check.not-a-receipt"), words: t(`check.is-${answer.is}`), state: "pending", facts: [] };
    default:
      return {
        heading: t("check.undecided"),
        words: t(`check.undecided-${answer.missing ?? "genesis"}`),
        state: "pending",
        facts: [],
        detail: answer.detail,
      };
  }
}

function values({ election_id: election, height }) {
  return { election: number(election), block: number(height) };
}

function factsOf({ receipt, holds_against: against, genesis }) {
  const signed = t("check.signed-by", { count: number(receipt.acks), of: number(receipt.of) });
  return [
    fact(t("check.election"), number(receipt.election_id)),
    fact(t("check.position"), number(receipt.position + 1)),
    fact(t("check.number"), hash(receipt.transaction_id)),
    fact(t("check.voter"), hash(receipt.voter)),
    fact(t("check.ballot-hash"), hash(receipt.ballot_hash)),
    fact(t("check.block"), number(receipt.height)),
    fact(t("check.signed"), `${signed} ${t(`check.against-${against}`)}`),
    fact(t("check.genesis"), hash(genesis)),
  ];
}
