// What this tab remembers until it is closed: who is signed in, and which ballots are under way. Never a ballot.

const PREFIX = "tabella.";

/** What was kept under a name; nothing where it was not, or where the browser keeps nothing. */
export function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + name));
  } catch {
    return null;
  }
}

export function write(name, value) {
  try {
    sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Without storage the page works until it is left.
  }
}

export function remove(name) {
  try {
    sessionStorage.removeItem(PREFIX + name);
  } catch {
    // Nothing was kept.
  }
}

/** Forgets all that this tab kept. */
export function forgetAll() {
  try {
    for (const key of Object.keys(sessionStorage)) {
      if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
    }
  } catch {
    // Nothing was kept.
  }
}

// An attempt is a ballot that was sent, or is about to be: the id that it is sent under, again and again until the
// server has answered, and the id that the chain knows it by, once it has.

export function attempt(electionId) {
  return read("attempts")?.[electionId] ?? null;
}

export function keepAttempt(electionId, value) {
  write("attempts", { ...read("attempts"), [electionId]: value });
}

/** The attempt that has this id on the chain, with its election. */
export function attemptOf(chainId) {
  const attempts = Object.entries(read("attempts") ?? {});
  const found = attempts.find(([, value]) => value.chain === chainId);
  return found ? { election: Number(found[0]), ...found[1] } : null;
}

/** 128 random bits: a name for a ballot that nobody guesses. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
