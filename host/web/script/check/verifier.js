// The verifier of receipts: Wasm in a worker that reaches no network. The page fetches it under the hash that it names;
// in the file to keep, it stands in the file.

import { byId } from "../dom.js";

/** Longest wait for an answer; a rule whose program does not end is given up. */
const PATIENCE_MS = 15_000;

/** Whether this is the file to keep, which has no server. */
export const isKept = document.getElementById("kept-module") !== null;

const named = (name) => document.querySelector(`meta[name="${name}"]`);
let address = "";
let policy = null;
let module = null;
let worker = null;
let count = 0;
const waiting = new Map();

/** Loads the verifier: from then on the page needs no network to check a receipt. */
export async function loadVerifier() {
  module ??= isKept ? keptModule() : await fetchedModule();
  await start();
}

/** What the verifier answers to a question: its name, and bytes or texts. */
export function ask(name, ...fields) {
  return send({ fields: [name, ...fields].map(bytesOf) });
}

/** What a rule's program says of itself: `sha256` of the program, and the text of its manifest. */
export function describe(rule) {
  return send({ rule: bytesOf(rule) });
}

function bytesOf(field) {
  return typeof field === "string" ? new TextEncoder().encode(field) : field;
}

function keptModule() {
  return Uint8Array.from(atob(byId("kept-module").textContent.trim()), (character) => character.charCodeAt(0));
}

async function fetchedModule() {
  const { content, dataset } = named("verifier-module");
  const response = await fetch(content, { integrity: dataset.integrity, credentials: "omit" });
  if (!response.ok) throw new Error(`the verifier was not sent: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function start() {
  if (worker) return;
  address ||= isKept ? keptWorker() : named("verifier-worker").content;
  policy ??= window.trustedTypes?.createPolicy("worker", { createScriptURL: own }) ?? { createScriptURL: own };
  worker = new Worker(policy.createScriptURL(address));
  worker.onmessage = ({ data: { id, value, error } }) => settle(id, value, error);
  worker.onerror = (event) => stop(event.message);
  await post({ load: module });
}

function keptWorker() {
  return URL.createObjectURL(new Blob([byId("kept-worker").textContent], { type: "text/javascript" }));
}

function own(text) {
  if (text !== address) throw new Error("only the verifier's worker is started");
  return text;
}

async function send(message) {
  await start();
  return post(message);
}

function post(message) {
  const id = (count += 1);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => stop("no answer in time"), PATIENCE_MS);
    waiting.set(id, { resolve, reject, timer });
    worker.postMessage({ id, ...message });
  });
}

function settle(id, value, error) {
  const one = waiting.get(id);
  if (!one) return;
  waiting.delete(id);
  clearTimeout(one.timer);
  if (error === undefined) one.resolve(value);
  else one.reject(new Error(error));
}

/** Ends the worker; the next question starts another. */
function stop(reason) {
  worker?.terminate();
  worker = null;
  for (const id of [...waiting.keys()]) settle(id, undefined, reason);
}
