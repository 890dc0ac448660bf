// One line about the network: whether ballots are confirmed now.

import { call } from "./api.js";
import { byId, show } from "./dom.js";
import { number, t } from "./text.js";

/** Shows the line; without word of the network, the page does without it. */
export async function networkLine() {
  const line = byId("network");
  let now;
  try {
    now = (await call("GET", "/health/ready")).data;
  } catch {
    // The page's own calls tell what is wrong.
    return;
  }
  const { level, has_quorum: hasQuorum, validators_healthy: healthy, validators: all } = now;
  const name = hasQuorum ? "network.well" : `network.level-${level}`;
  line.textContent = t(name, { healthy: number(healthy), all: number(all), block: number(now.chain?.height ?? 0) });
  line.dataset.state = hasQuorum && healthy === all ? "well" : hasQuorum ? "worse" : "bad";
  show(line);
}
