/**
 * What is shown, in plain words: decisions, flags of quality, numbers and origins.
 */

import { element } from "./dom.js";

/** @typedef {import("./types.js").Decision} Decision */
/** @typedef {import("./types.js").Thresholds} Thresholds */
/** @typedef {import("./types.js").Verdict} Verdict */

/** A sign beside each word, so that no colour is needed to tell them apart. */
const SIGNS = { fake: "▲", "cannot tell": "■", real: "●" };

/** What each flag means, and what it does to a decision. */
const FLAGS = {
  "no face": "No face was found, so nothing can be told.",
  "several faces": "There are several faces. The verdict on the file is that of the most suspicious one.",
  "re-compressed": "It was a JPEG before, and then more strongly compressed. This alone is common and means nothing.",
  "over-compressed": "It is so strongly compressed that traces of a forgery may be gone. So it is never called real.",
  small: "The face is small, below 64 pixels. So it is never called fake.",
  "cut off": "A part of the face lies beyond the picture's border. So it is never called fake.",
  blurred: "The face is blurred. So it is never called fake.",
  "perhaps no face": "This may be no face. So it is neither called real nor fake.",
  "turned away": "The face is turned to the side.",
  tilted: "The face is tilted.",
};

/** What states of provenance mean. */
const ORIGINS = {
  trusted: "Signed, unchanged since, and the signer is on this service's list",
  valid: "Signed, and unchanged since; nobody here vouches for who signed",
  invalid: "Its signature does not fit the file, or is broken",
  "not available": "None can be read, which is so for most files and means nothing",
};

/** What a busy service leaves out. */
const LEFT = {
  evidence: "no evidence was measured",
  map: "no map was made",
  model: "a smaller detector judged",
};

/**
 * What was left out of an answer for want of time.
 *
 * @param {string[]} left
 */
export function reduced(left) {
  const said = left.map((each) => /** @type {Record<string, string>} */ (LEFT)[each] ?? each).join(", and ");
  return `The service is busy, so ${said}. Ask again in a moment.`;
}

/** How a feature was found. */
export const TAGS = {
  observed: "seen in the pixels",
  derived: "computed from the pixels",
  inferred: "by a model that was learned",
};

/**
 * A decision: a sign, a word and a colour.
 *
 * @param {Decision} word
 */
export function decision(word) {
  const sign = element("span", { "aria-hidden": "true" }, SIGNS[word] ?? "■");
  return element("span", { class: `decision ${word.split(" ")[0]}` }, sign, ` ${word}`);
}

/**
 * Flags as a list of sentences; a flag that is not known here stands for itself.
 *
 * @param {string[]} flags
 */
export function flagged(flags) {
  const said = (/** @type {string} */ flag) => {
    const meaning = /** @type {Record<string, string>} */ (FLAGS)[flag];
    return element("li", {}, element("strong", {}, flag), meaning ? `: ${meaning}` : "");
  };
  return element("ul", {}, ...flags.map(said));
}

/**
 * @param {Verdict["provenance"]} origin
 */
export function origin(origin) {
  const said = /** @type {Record<string, string>} */ (ORIGINS)[origin.state] ?? origin.state;
  const detail = origin.detail ? ` (${origin.detail})` : "";
  return `${sentence(said + detail)} It changes no decision.`;
}

/**
 * For which shares of mistakes the thresholds stand.
 *
 * @param {Thresholds} said
 */
export function mistakes(said) {
  const shares = [];
  if (said.fpr !== null) shares.push(`${percent(said.fpr)} of the reals there may be called fake`);
  if (said.fnr !== null) shares.push(`${percent(said.fnr)} of the fakes there may be called real`);
  return shares.join("; ") || "no stated share of mistakes";
}

/** @param {number} share */
export function percent(share) {
  return `${Number((100 * share).toPrecision(3))} %`;
}

/**
 * A probability with three digits. What is no certainty is not rounded to one.
 *
 * @param {number} value
 */
export function probability(value) {
  if (value > 0 && value < 0.001) return "below 0.001";
  return value < 1 && value > 0.999 ? "above 0.999" : value.toFixed(3);
}

/**
 * @param {number} count
 * @param {string} what
 */
export function counted(count, what) {
  return `${count.toLocaleString("en").replaceAll(",", "\u202f")} ${what}${count === 1 ? "" : "s"}`;
}

/** @param {number} bytes */
export function bytes(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/**
 * Words as a sentence.
 *
 * @param {string} words
 */
export function sentence(words) {
  const whole = words.trim();
  return whole && whole[0].toUpperCase() + whole.slice(1).replace(/\.$/, "") + (/[!?]$/.test(whole) ? "" : ".");
}
