/**
 * Elements of the page. Whatever comes from a file or from the service goes in as text, never as markup.
 */

const SVG = "http://www.w3.org/2000/svg";

/** Characters that are not seen, or that turn a line of text around: a file's name may hold them to deceive. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/**
 * A text that shows all that it is.
 *
 * @param {unknown} text
 */
export function printable(text) {
  return String(text).replace(UNSEEN, "\ufffd");
}

/**
 * An element with its attributes and what is in it.
 *
 * @param {string} tag
 * @param {Record<string, any>} [attributes] a function is a listener for the event of its name; `true` is an attribute
 *   without a value, and `false` and `null` are none
 * @param {...(Node | string | null | false)} children
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * The same of a drawing.
 *
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | false)} children
 * @returns {SVGElement}
 */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * @template {Element} T
 * @param {T} made
 * @param {Record<string, any>} attributes
 * @param {(Node | string | null | false)[]} children
 * @returns {T}
 */
function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      made.addEventListener(name, value);
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  made.append(...children.filter((child) => child !== null && child !== false));
  return made;
}

/**
 * A button.
 *
 * @param {string} label
 * @param {(event: Event) => void} pressed
 * @param {Record<string, any>} [attributes]
 * @returns {HTMLButtonElement}
 */
export function button(label, pressed, attributes = {}) {
  return /** @type {HTMLButtonElement} */ (element("button", { type: "button", click: pressed, ...attributes }, label));
}

/**
 * A list of facts: a name and what is said under it. Those of which nothing is said are left out.
 *
 * @param {[string, Node | string | null | false][]} pairs
 */
export function facts(pairs) {
  const told = pairs.filter(([, said]) => said);
  return element("dl", {}, ...told.flatMap(([name, said]) => [element("dt", {}, name), element("dd", {}, said || "")]));
}

/**
 * A table whose first column names its rows. On a narrow screen each cell says of which column it is; the roles are
 * said since there its parts are no longer laid out as a table.
 *
 * @param {string} caption
 * @param {string[]} heads
 * @param {(Node | string)[][]} rows
 */
export function table(caption, heads, rows) {
  const cell = (/** @type {Node | string} */ said, /** @type {number} */ place) =>
    place === 0
      ? element("th", { role: "rowheader", scope: "row" }, said)
      : element("td", { role: "cell", "data-of": heads[place] }, said);
  const head = (/** @type {string} */ name) => element("th", { role: "columnheader", scope: "col" }, name);
  const row = (/** @type {Node[]} */ cells) => element("tr", { role: "row" }, ...cells);
  return element(
    "table",
    { role: "table" },
    element("caption", {}, caption),
    element("thead", { role: "rowgroup" }, row(heads.map(head))),
    element("tbody", { role: "rowgroup" }, ...rows.map((cells) => row(cells.map(cell)))),
  );
}

/**
 * A file's name: it keeps the direction of its letters to itself.
 *
 * @param {string} name
 */
export function called(name) {
  return element("bdi", { class: "name" }, printable(name));
}

/**
 * An element of index.html.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} [kind]
 * @returns {T}
 */
export function byId(id, kind = /** @type {any} */ (HTMLElement)) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}
