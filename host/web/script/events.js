// What happens at the server: one stream of events, and questions now and then where there is none.

/** Pause between two questions while no stream is there. */
const POLL_MS = 3_000;
/** Shortest pause between two questions, however many events there are. */
const EVENT_MS = 1_000;
/** Pause between two questions while there is one: what events do not tell. */
const SLOW_POLL_MS = 15_000;

/**
 * Calls `look` at once, after each event of these names, and now and then. Stops while the page is hidden, and for good
 * once `stop` of what it returns is called.
 */
export function follow(names, look) {
  let source = null;
  let timer = 0;
  let isStopped = false;
  let isLooking = false;
  let isDue = false;
  const isLive = () => source?.readyState === EventSource.OPEN;

  async function turn(event) {
    if (isStopped || document.hidden) return;
    if (isLooking) {
      isDue = true;
      return;
    }
    isLooking = true;
    clearTimeout(timer);
    await look(event);
    isLooking = false;
    if (isStopped) return;
    timer = setTimeout(turn, isDue ? EVENT_MS : isLive() ? SLOW_POLL_MS : POLL_MS);
    isDue = false;
  }

  function connect() {
    if (isStopped || document.hidden || (source && source.readyState !== EventSource.CLOSED)) return;
    source = new EventSource("/api/events");
    for (const name of names) {
      source.addEventListener(name, ({ data }) => {
        try {
          turn({ name, ...JSON.parse(data) });
        } catch {
          // Not an event of this API; the next question tells.
        }
      });
    }
    // A server that refuses is asked instead; a browser that lost a stream connects again by itself.
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, SLOW_POLL_MS);
    });
  }

  function stop() {
    isStopped = true;
    clearTimeout(timer);
    source?.close();
    document.removeEventListener("visibilitychange", changed);
  }

  function changed() {
    if (document.hidden) {
      source?.close();
      source = null;
      clearTimeout(timer);
    } else {
      connect();
      turn();
    }
  }

  document.addEventListener("visibilitychange", changed);
  connect();
  turn();
  return { stop };
}
