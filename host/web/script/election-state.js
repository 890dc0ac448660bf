// The state of an election as a sentence.

import { plural, t } from "./text.js";

/** Which of the three lists an election stands in. */
export function place(status) {
  return status === "final" ? "closed" : status;
}

export function stateSentence(status) {
  return t(`state.${status}`);
}

/** How many have voted, of how many where a roll says so. */
export function turnoutSentence({ turnout, roll_size: roll }) {
  const cast = plural("turnout.cast", turnout);
  return roll > 0 ? `${cast} ${plural("turnout.of", roll)}` : cast;
}

/** The address of an election's page, or of one below it. */
export function electionPath(id, below = "") {
  return `elections/${id}${below ? `/${below}` : ""}`;
}
