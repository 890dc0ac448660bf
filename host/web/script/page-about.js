// The hashes of all files that this server says it sends.

import { get } from "./api.js";
import { byId, fill, make, show } from "./dom.js";
import { shortHash } from "./hash.js";
import { begin } from "./problem.js";
import { frame } from "./shell.js";
import { number } from "./text.js";

frame();
begin(async () => {
  const { files } = await get("/assets.json");
  const row = ({ path, bytes, sha256 }) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, make("code", { dir: "ltr" }, path)),
      make("td", { class: "number" }, number(bytes)),
      make("td", {}, shortHash(sha256)),
    );
  fill(byId("files"), ...files.map(row));
  show(byId("found"));
});
