// Calls of the REST API, and what can go wrong with them.

/** Longest wait for an answer. */
const PATIENCE_MS = 20_000;

/** A call that brought nothing of use. */
export class Failure extends Error {
  /**
   * `kind` is `offline` (no answer came), `garbage` (what came is no answer of this API) or `refused` (the server
   * said why: `code` for programs, `detail` for people).
   */
  constructor(kind, values = {}) {
    super(values.detail ?? kind);
    this.kind = kind;
    this.code = values.code ?? kind;
    this.detail = values.detail ?? "";
    this.pointer = values.pointer ?? "";
    this.status = values.status ?? 0;
    this.requestId = values.requestId ?? "";
    this.retryAfterMs = values.retryAfterMs ?? 0;
  }

  /** Whether the same call may bring something later. */
  get passes() {
    return this.kind !== "refused" || this.status >= 500 || this.status === 429 || this.status === 408;
  }
}

/** Calls the API; the answer's JSON, status and headers, or a `Failure`. */
export async function call(method, path, { body, token, raw = false } = {}) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  const request = {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    // A token is sent by this module alone.
    credentials: "omit",
    redirect: "error",
    cache: token ? "no-store" : "default",
    signal: AbortSignal.timeout(PATIENCE_MS),
  };
  let response, bytes;
  try {
    response = await fetch(path, request);
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch {
    throw new Failure("offline");
  }
  return read(response, bytes, raw);
}

function read(response, bytes, raw) {
  const requestId = response.headers.get("x-request-id") ?? "";
  const { status } = response;
  if (raw && response.ok) return { status, bytes, headers: response.headers };
  let data = null;
  try {
    if (status !== 204) data = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Failure("garbage", { status, requestId });
  }
  if (response.ok) return { status, data, headers: response.headers };
  if (typeof data?.code !== "string" || typeof data?.detail !== "string") {
    throw new Failure("garbage", { status, requestId });
  }
  const seconds = Number(response.headers.get("retry-after")) || 0;
  const { code, detail, pointer } = data;
  throw new Failure("refused", { code, detail, pointer, status, requestId, retryAfterMs: seconds * 1_000 });
}

/** The JSON of `GET path`. */
export async function get(path, options = {}) {
  return (await call("GET", path, options)).data;
}

/** Waits for so long. */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The pause before another try: longer each time, at least as long as the server asked for, never the same for all. */
export function backoff(tries, failure) {
  const grown = Math.min(15_000, 1_000 * 2 ** Math.min(tries, 4));
  return Math.max(failure?.retryAfterMs ?? 0, grown * (0.75 + Math.random() / 2));
}
