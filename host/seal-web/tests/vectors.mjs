// Seals, checks and opens the contests of the vectors with the module: `node vectors.mjs MODULE VECTORS`.

import { readFileSync } from 'node:fs'
import assert from 'node:assert/strict'

const [path, vectors] = process.argv.slice(2)
const { contests, forms, ceremony } = JSON.parse(readFileSync(vectors, 'utf8'))
const { instance } = await WebAssembly.instantiate(readFileSync(path), {})
const seal = instance.exports

const [TOO_SHORT, NOT_A_KEY, NOT_A_FORM, NOT_ADMITTED, REFUSED] = [-1, -2, -3, -5, -6]
const fromHex = (text) => Uint8Array.from(Buffer.from(text, 'hex'))
const toHex = (bytes) => Buffer.from(bytes).toString('hex')

function call (work, ...parts) {
  const bytes = Uint8Array.from(parts.flatMap((part) => [...part]))
  const address = seal.buffer(bytes.length)
  new Uint8Array(seal.memory.buffer, address, bytes.length).set(bytes)
  const code = work()
  return code < 0 ? code : new Uint8Array(seal.memory.buffer, seal.answer(), code).slice()
}

// The value of each counter, from a plain ballot whose numbers are all below 128.
function values (form, ballot) {
  const counters = new DataView(call(seal.configure, fromHex(ceremony.key), fromHex(form.bytes)).buffer).getUint32(0, true)
  const values = new BigUint64Array(counters)
  if (form.shape.as === 'marks') {
    ballot.forEach((option) => { values[option] = 1n })
  } else {
    for (let at = 0; at < ballot.length; at += 2) values[ballot[at]] = BigInt(ballot[at + 1])
  }
  if (form.shape.sum?.blank === 'Counted' && ballot.length === 0) values[form.options] = 1n
  return new Uint8Array(values.buffer)
}

for (const contest of contests) {
  const [context, seed, bytes] = ['context', 'seed', 'bytes'].map((field) => fromHex(contest[field]))
  const given = values(forms[contest.form], fromHex(contest.ballot))
  assert.equal(toHex(call(seal.seal, context, seed, given)), contest.bytes)
  assert.equal(call(seal.check, context, bytes).length, 0)
  assert.equal(call(seal.open, context, seed, given, bytes).length, 0)
  assert.equal(call(seal.check, seed, bytes), REFUSED)
  assert.equal(call(seal.open, context, context, given, bytes), REFUSED)
  bytes[0] ^= 2
  assert.equal(call(seal.check, context, bytes), REFUSED)
  assert.equal(call(seal.open, context, seed, given, bytes), REFUSED)
}

// What is not a key, a form or a ballot is refused; the contest that was configured before stays.
const [{ context, seed, form }] = contests
const [key, bytes, head] = [ceremony.key, forms[form].bytes, context + seed].map(fromHex)
assert.equal(call(seal.configure, key, bytes).length, 4)
assert.equal(call(seal.configure, key, bytes.slice(1)), NOT_A_FORM)
assert.equal(call(seal.configure, new Uint8Array(32).fill(255), bytes), NOT_A_KEY)
assert.equal(call(seal.seal, head), TOO_SHORT)
assert.equal(call(seal.seal, head, new Uint8Array(values(forms[form], fromHex(contests[0].ballot)).length).fill(255)), NOT_ADMITTED)
console.log(`${contests.length} contests sealed, checked and opened`)
