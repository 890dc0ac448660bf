// Files and texts that a voter hands to the page. They are read here, and sent nowhere.

import { byId, fill, show } from "../dom.js";

/** The largest file that is read: many times that of a receipt with every change of the validators in it. */
const BYTES_MAX = 8 << 20;

/** A file is larger than any that is read here. */
export class TooLarge extends Error {}

export async function bytesOf(file) {
  if (file.size > BYTES_MAX) throw new TooLarge(file.name);
  return new Uint8Array(await file.arrayBuffer());
}

/** The file that a field holds; nothing where it holds none. */
export async function chosen(id) {
  const [file] = byId(id).files;
  return file ? bytesOf(file) : null;
}

/** What stands in a field of text, as a file would hold it: copying loses or adds what is at its ends. */
export function pasted(id) {
  const text = byId(id).value.trim();
  return text ? new TextEncoder().encode(`${text}\n`) : null;
}

/** A field's error, or none. */
export function sayAt(id, words) {
  fill(byId(`${id}-error`), words);
  show(byId(`${id}-error`), Boolean(words));
  if (words) byId(id).setAttribute("aria-invalid", "true");
  else byId(id).removeAttribute("aria-invalid");
}

/** Takes a file that is dropped on a field of files as that field's, and one that is dropped elsewhere as that of `id`. */
export function takeDropped(id, taken) {
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (isFile(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    const field = event.target.type === "file" ? event.target : byId(id);
    field.files = event.dataTransfer.files;
    field.dispatchEvent(new Event("change"));
    if (field.id === id) taken();
  });
}
