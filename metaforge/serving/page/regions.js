/**
 * Which regions of the face the detector names, and the sentence on them; of most detectors there are none.
 */

import { element, printable } from "./dom.js";
import { probability } from "./words.js";

/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Regions} Regions */

/**
 * @param {Item} item
 * @param {boolean} named whether its detector names regions
 * @param {number} level of the heading
 */
export function regions(item, named, level) {
  const answer = /** @type {import("./types.js").Answer} */ (item.answer);
  const part = (/** @type {(Node | string)[]} */ ...children) =>
    element("section", { class: "regions" }, element(`h${level}`, {}, "Regions"), ...children);
  if (!named) return part(element("p", {}, "This detector names no regions of a face."));
  if (!item.had.map) return part(element("p", {}, "They are looked for together with the map."));
  if (!answer.regions) return part(element("p", {}, "No regions were looked for in this file."));
  return part(...told(answer.regions, answer.verdict.faces.length));
}

/**
 * @param {Regions} found
 * @param {number} faces
 */
function told(found, faces) {
  const listed = [...found.regions]
    .sort((one, other) => other.p - one.p)
    .map(({ name, p, named }) => {
      const said = `${printable(name).replaceAll("_", " ")}: ${probability(p)}`;
      return element("li", {}, named ? element("strong", {}, said) : said);
    });
  return [
    element("p", {}, `${faces > 1 ? "Of the largest face. " : ""}${found.sentence}`),
    listed.length
      ? element("details", {}, element("summary", {}, "Each region's probability, if the face is forged"),
        element("ul", {}, ...listed))
      : "",
    ...(found.limits ?? []).map((line) => element("p", { class: "soft" }, line)),
  ];
}
