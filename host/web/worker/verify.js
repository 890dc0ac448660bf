// Runs beside the page that checks receipts, and reaches no network: the verifier, and what counting rules say of
// themselves. It is one file, because modules that a worker imports are not compared with a hash.

let verifier = null;
let queue = Promise.resolve();

onmessage = ({ data }) => {
  queue = queue.then(async () => {
    try {
      postMessage({ id: data.id, value: await perform(data) });
    } catch (error) {
      postMessage({ id: data.id, error: String(error) });
    }
  });
};

async function perform({ load, fields, rule }) {
  if (load) {
    verifier = (await WebAssembly.instantiate(load, {})).instance.exports;
    return true;
  }
  return rule ? describe(rule) : ask(fields);
}

/** What the verifier answers to these byte strings. */
function ask(fields) {
  const length = fields.reduce((sum, field) => sum + 4 + field.byteLength, 0);
  const request = new Uint8Array(length);
  let place = 0;
  for (const field of fields) {
    new DataView(request.buffer).setUint32(place, field.byteLength, true);
    request.set(new Uint8Array(field), place + 4);
    place += 4 + field.byteLength;
  }
  const room = verifier.room(length);
  new Uint8Array(verifier.memory.buffer, room, length).set(request);
  const answered = verifier.ask();
  return JSON.parse(text(verifier.memory, verifier.answered(), answered));
}

/** What a counting rule says of itself, and the hash of its program. */
async function describe(rule) {
  const { sha256 } = ask([new TextEncoder().encode("sha256"), rule]);
  const { instance } = await WebAssembly.instantiate(rule, {});
  const place = BigInt.asUintN(64, instance.exports.describe());
  const manifest = text(instance.exports.memory, Number(place >> 32n), Number(place & 0xffff_ffffn));
  return { sha256, manifest };
}

function text(memory, address, length) {
  return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(memory.buffer, address, length));
}
