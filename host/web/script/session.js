// Who this tab speaks for. A token stands in this tab's own storage, so that a reload keeps it, and nowhere else.
//
// A refresh token is good once, and one that comes a second time ends the session. A tab that was duplicated has the
// same one: so tabs trade them one after another, and tell each other what they got.

import { Failure, call, pause } from "./api.js";
import { forgetAll, read, remove, write } from "./store.js";

/** How long another tab may take to say that it has traded the token already. */
const ANSWER_MS = 150;
/** A token is traded so long before it ends. */
const EARLY_MS = 30_000;

const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("tabella.session") : null;
const watchers = [];

/** Calls `watcher` when another tab has ended or renewed this tab's session. */
export function watch(watcher) {
  watchers.push(watcher);
}

/** `{access, refresh, ends, name, before}`: `before` is the refresh token that this one was got for. */
export function session() {
  return read("session");
}

function keep(answer, before) {
  const ends = Date.now() + answer.expires_in_s * 1_000;
  const { access_token: access, refresh_token: refresh } = answer;
  begin({ access, refresh, ends, before });
}

/** Which ballots are under way is kept where the same voter comes again, and forgotten where another does. */
function begin(session) {
  const voter = voterOf(session.access);
  if (read("voter") !== voter) forgetAll();
  write("voter", voter);
  write("session", session);
}

/** Whose token it is, as the token itself says; the server alone judges it. */
function voterOf(token) {
  try {
    const { realm, sub } = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return `${realm}/${sub}`;
  } catch {
    return token;
  }
}

if (channel) {
  channel.onmessage = ({ data }) => {
    const own = session();
    if (!own?.refresh) return;
    if (data.traded === own.refresh && data.by?.refresh) {
      write("session", data.by);
    } else if (data.ask && data.ask === own.before) {
      channel.postMessage({ traded: own.before, by: own });
    } else if (data.over && (data.over === own.refresh || data.over === own.before)) {
      forgetAll();
      for (const watcher of watchers) watcher();
    }
  };
}

/**
 * Takes a token out of the address, once: `none`, `same` where it is that of the voter who was here, or `other`. Whoever
 * was signed in before no longer is.
 */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return "none";
  history.replaceState(null, "", location.pathname + location.search);
  const isSame = read("voter") === voterOf(given);
  begin({ access: given });
  return isSame ? "same" : "other";
}

export async function signIn(username, password) {
  await open("/api/auth/login", username, password);
}

export async function register(username, password) {
  await open("/api/auth/register", username, password);
}

async function open(path, username, password) {
  const { data } = await call("POST", path, { body: { username, password } });
  keep(data, null);
}

/** Ends the session, here and in tabs that share it, and forgets all. The server is asked to end it too. */
export async function signOut() {
  const own = session();
  forgetAll();
  if (!own?.refresh) return;
  channel?.postMessage({ over: own.refresh });
  try {
    await call("POST", "/api/auth/logout", { body: { refresh_token: own.refresh } });
  } catch {
    // The tokens are gone from here; unused, they end by themselves.
  }
}

/** Calls the API as who is signed in. A token that has ended is traded once; any other refusal of it signs out. */
export async function asVoter(method, path, options = {}) {
  let own = session();
  if (!own) throw new Failure("refused", { code: "signed-out", status: 401 });
  if (own.refresh && own.ends - EARLY_MS < Date.now()) own = await trade(own);
  try {
    return await call(method, path, { ...options, token: own.access });
  } catch (failure) {
    if (failure.status !== 401) throw failure;
    if (failure.code === "token-expired" && own.refresh) {
      own = await trade(own);
      return call(method, path, { ...options, token: own.access });
    }
    // Which ballots are under way is kept: the same voter may sign in again.
    remove("session");
    throw failure;
  }
}

function trade(own) {
  const run = () => tradeAlone(own);
  // One tab after another; outside secure contexts browsers have no locks.
  return navigator.locks ? navigator.locks.request("tabella.trade", run) : run();
}

async function tradeAlone(own) {
  if (channel) {
    channel.postMessage({ ask: own.refresh });
    await pause(ANSWER_MS);
  }
  const now = session();
  if (now?.refresh !== own.refresh) {
    if (now?.access) return now;
    throw new Failure("refused", { code: "signed-out", status: 401 });
  }
  try {
    const { data } = await call("POST", "/api/auth/refresh", { body: { refresh_token: own.refresh } });
    keep(data, own.refresh);
  } catch (failure) {
    if (failure.status === 401) remove("session");
    throw failure;
  }
  channel?.postMessage({ traded: own.refresh, by: session() });
  return session();
}
