/**
 * All that is said of one face: its decision, the scale, familiarity, quality, the map and evidence.
 */

import { element, facts, table } from "./dom.js";
import { heat } from "./heat.js";
import { scale } from "./scale.js";
import { TAGS, decision, flagged, percent, probability, sentence } from "./words.js";

/** @typedef {import("./types.js").Face} Face */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Answer} Answer */

/**
 * @param {Face} face
 * @param {Item} item
 * @param {{level: number, one: boolean}} how the level of its heading, and whether there is no other face: then its
 *   reason is the file's, and was said
 */
export function faceSection(face, item, { level, one }) {
  const answer = /** @type {Answer} */ (item.answer);
  const { verdict } = answer;
  const what = verdict.kind === "video" ? "Person" : "Face";
  return element(
    "section",
    { class: "face" },
    element(`h${level}`, {}, `${face.number ? `${what} ${face.number}` : "The face"}: `, decision(face.decision)),
    one ? null : element("p", {}, sentence(face.reason)),
    face.p_fake === null ? null : scale(face, verdict.thresholds),
    facts([
      ["p(fake)", face.p_fake === null ? "none" : `${probability(face.p_fake)}, if half of such images were fake`],
      ["Band", band(face)],
      ["Familiarity", familiarity(face)],
      ["Quality", face.quality.length ? flagged(face.quality) : quality(face)],
      ["Frames", frames(face)],
      ["Where", where(face)],
    ]),
    mapOf(face, item),
    item.more.evidence ? evidenceOf(face, verdict.kind, level + 1) : null,
  );
}

/** @param {Face} face */
function band(face) {
  if (!face.band) return "not known for this detector";
  const [low, high] = face.band.map((end) => end.toFixed(2));
  return `${low} to ${high}: in a collection that is not known, the share of fakes among faces with this p(fake) is `
    + "to be expected here (95 %)";
}

/** @param {Face} face */
function familiarity(face) {
  if (face.familiarity === null) return "not known for this detector";
  const said = `${percent(face.familiarity)} of the images that the detector was fitted on are at least as unusual`;
  return face.familiarity < 0.1 ? `${said}. It knows little like this face, and is believed less` : said;
}

/** @param {Face} face */
function quality(face) {
  return face.frames.length ? "not looked at in videos" : "nothing amiss";
}

/** @param {Face} face */
function frames(face) {
  if (!face.frames.length) return null;
  return `${face.frames.length}, from ${face.frames[0]} to ${face.frames[face.frames.length - 1]}`;
}

/** @param {Face} face */
function where(face) {
  if (!face.box) return null;
  const [x0, y0, x1, y1] = face.box.map(Math.round);
  return `${x1 - x0} × ${y1 - y0} pixels, ${x0} from the left and ${y0} from the top`;
}

/**
 * @param {Face} face
 * @param {Item} item
 */
function mapOf(face, item) {
  const maps = item.answer?.maps;
  if (!maps) return null;
  const mine = maps.find((each) => each.face === face.number);
  if (mine) return heat(mine, item.more.map);
  return element("p", { class: "soft" }, "There is no map of this face: only the first faces of a picture have one.");
}

/**
 * @param {Face} face
 * @param {"image" | "video"} kind
 * @param {number} level
 */
function evidenceOf(face, kind, level) {
  const title = element(`h${level}`, {}, "Evidence, each measured by itself");
  if (!face.evidence.length) {
    const why = kind === "video" ? "it is measured in pictures alone" : "the face is too small, or has no landmarks";
    return element("div", {}, title, element("p", {}, `None: ${why}.`));
  }
  const rows = face.evidence.map((each) => [
    each.name.replaceAll("_", " "),
    each.text,
    each.score.toFixed(2),
    each.auc.toFixed(2),
    `${each.tag}: ${TAGS[each.tag] ?? ""}`,
  ]);
  const heads = ["Feature", "Measured", "p(fake) by it alone", "Its AUC", "Kind"];
  const caption = "Weak evidence, which changes no decision. An AUC of 0.5 is chance, and 1 is perfect.";
  return element("div", { class: "evidence" }, title, table(caption, heads, rows));
}
