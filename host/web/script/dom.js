// Elements without markup: text is always text, and only what pages need can be set.

/** The element with this id, which the page has. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element ${id}`);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, handlers (`on`), and children: nodes or texts. */
export function make(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** As `make`, for pictures. */
export function draw(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else {
      element.setAttribute(checked(name, value), value === true ? "" : String(value));
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// Nothing here may run as a program or lead elsewhere, whatever a title holds.
function checked(name, value) {
  if (/^(on|style$|src|action|formaction)/i.test(name)) throw new Error(`the attribute ${name} is not set by pages`);
  if (name === "href" && !/^(\/(?!\/)|#|blob:)/.test(value)) throw new Error("links lead to this server's own pages");
  return name;
}

/** Text of somebody else, whose direction is its own. */
export function bdi(text) {
  return make("bdi", { dir: "auto" }, text);
}

/** A sentence of a rule or of the server, which come in English. */
export function english(text) {
  return make("span", { lang: "en", dir: "ltr" }, text);
}

/** Puts these children in the place of all that an element has. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

export function show(element, isShown = true) {
  element.hidden = !isShown;
}

/** A term and what is said of it, for lists of facts. */
export function fact(term, ...said) {
  return make("div", {}, make("dt", {}, term), make("dd", {}, ...said));
}

/** Moves the focus to a heading that says what is new. */
export function focus(element) {
  if (!element.hasAttribute("tabindex")) element.setAttribute("tabindex", "-1");
  element.focus();
}

/** A link to a page of the same language. */
export function link(path, ...children) {
  return make("a", { href: here(path) }, ...children);
}

/** The address of a page in the same language. */
export function here(path) {
  return `/${document.documentElement.lang}/${path}`;
}

/** The last part of the address that is a number or a hash: what the page is about. */
export function subject() {
  const parts = location.pathname.split("/").filter((part) => /^(\d+|0x[0-9a-f]{1,64})$/i.test(part));
  return parts[0] ?? "";
}
