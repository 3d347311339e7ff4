/**
 * p(fake) on a line from 0 to 1: the zones of the three decisions, the thresholds between them, and the band.
 */

import { drawn } from "./dom.js";
import { probability } from "./words.js";

/** @typedef {import("./types.js").Face} Face */
/** @typedef {import("./types.js").Thresholds} Thresholds */

const LEFT = 12;
const WIDE = 456;

/** Units that a letter takes, so that no word stands over two zones. */
const LETTER = 7;

/**
 * @param {Face} face that has a number
 * @param {Thresholds} thresholds
 */
export function scale(face, thresholds) {
  const value = face.p_fake ?? 0.5;
  const [low, high] = [thresholds.real_below, thresholds.fake_above];
  const at = (/** @type {number} */ share) => LEFT + share * WIDE;
  const zones = /** @type {[string, string, number, number][]} */ ([
    ["real", "real", 0, low],
    ["cannot", "cannot tell", low, high],
    ["fake", "fake", high, 1],
  ]);
  const rectangles = zones.map(([kind, , from, to]) =>
    drawn("rect", { class: `zone ${kind}`, x: at(from), y: 26, width: Math.max(at(to) - at(from), 0), height: 16 }),
  );
  const names = zones
    .filter(([, name, from, to]) => (to - from) * WIDE > LETTER * name.length)
    .map(([, name, from, to]) => drawn("text", { x: at((from + to) / 2), y: 60, "text-anchor": "middle" }, name));
  return drawn(
    "svg",
    { class: "scale", role: "img", "aria-label": inWords(face, thresholds), viewBox: "0 0 480 66" },
    ...rectangles,
    ...[low, high].map((share) => upright(at(share), 22, 46)),
    ...band(face.band, at),
    drawn("circle", { class: "dot", cx: at(value), cy: 34, r: 7 }),
    ...names,
  );
}

/**
 * The same in words.
 *
 * @param {Face} face
 * @param {Thresholds} thresholds
 */
export function inWords(face, thresholds) {
  const value = face.p_fake === null ? "Without a probability" : `Probability ${probability(face.p_fake)}`;
  const between = face.band ? `, band ${face.band[0].toFixed(2)} to ${face.band[1].toFixed(2)}` : "";
  const { real_below: low, fake_above: high } = thresholds;
  return `${value}${between}; real below ${low.toFixed(3)}, fake above ${high.toFixed(3)}.`;
}

/**
 * @param {Face["band"]} ends
 * @param {(share: number) => number} at
 */
function band(ends, at) {
  if (!ends) return [];
  const line = drawn("line", { class: "ink", x1: at(ends[0]), x2: at(ends[1]), y1: 13, y2: 13 });
  return [line, ...ends.map((end) => upright(at(end), 8, 18))];
}

/**
 * @param {number} x
 * @param {number} from
 * @param {number} to
 */
function upright(x, from, to) {
  return drawn("line", { class: "ink", x1: x, x2: x, y1: from, y2: to });
}
