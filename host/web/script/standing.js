// How a ballot stands, asked for by the id that the chain knows it by.

import { get } from "./api.js";
import { asVoter, session } from "./session.js";
import { attemptOf, keepAttempt } from "./store.js";

/** How the ballot stands; of the voter's own, what only the voter is told as well. */
export async function standingOf(chainId) {
  const own = session() ? attemptOf(chainId) : null;
  if (!own) return get(`/api/votes/transaction-status?${new URLSearchParams({ transaction_id: chainId })}`);
  try {
    const query = new URLSearchParams({ transaction_id: own.id, election_id: String(own.election) });
    const { data } = await asVoter("GET", `/api/votes/transaction-status?${query}`);
    // A ballot that waited for long is signed again, and the chain knows it by another id.
    if (data.chain_transaction_id !== chainId) {
      keepAttempt(own.election, { id: own.id, isKnown: true, chain: data.chain_transaction_id });
    }
    return data;
  } catch (failure) {
    // The session has ended; by the chain's id anybody may ask.
    if (failure.status !== 401 && failure.status !== 404) throw failure;
    return get(`/api/votes/transaction-status?${new URLSearchParams({ transaction_id: chainId })}`);
  }
}

/** Whether nothing of it will change any more. */
export function isSettled({ status, signatures }) {
  return status === "confirmed" && signatures.count >= signatures.of;
}
