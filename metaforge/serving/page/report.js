/**
 * The report of adapting: what was measured on pictures that were set aside, before and after.
 */

import { element, facts, table } from "./dom.js";

/** @typedef {{value: number, low: number, high: number}} Interval */

const NAMES = /** @type {Record<string, string>} */ ({
  auc: "AUC",
  accuracy: "accuracy",
  accuracy_at_threshold: "accuracy at the threshold",
  brier: "Brier score",
  eer: "equal error rate",
  ece: "calibration error",
  called_fake_at_half: "share called fake at 0.5",
  called_fake_at_threshold: "share called fake at the threshold",
  cannot_tell: "share left open",
  unlike_the_source: "share unlike the source",
});

/**
 * @param {any} found of `metaforge adapt`
 * @param {any} decision
 */
export function report(found, decision) {
  return element(
    "div",
    {},
    decision ? facts(changes(decision)) : null,
    found.table ? measured(found.table) : null,
  );
}

/**
 * @param {any} decision
 * @returns {[string, string][]}
 */
function changes(decision) {
  return Object.entries(decision)
    .filter(([, each]) => isInterval(each))
    .map(([name, each]) => [`Change of the ${named(name)}`, interval(each, true)]);
}

/** @param {Record<string, Record<string, Interval>>} rows */
function measured(rows) {
  const heads = [...new Set(Object.values(rows).flatMap((row) => Object.keys(row)))].filter((name) =>
    Object.values(rows).some((row) => isInterval(row[name])),
  );
  const cells = Object.entries(rows).map(([method, row]) => [
    method,
    ...heads.map((name) => (isInterval(row[name]) ? interval(row[name]) : "not measured")),
  ]);
  return table("On pictures that were set aside, with 95 % intervals", ["Detector", ...heads.map(named)], cells);
}

/** @param {any} each */
function isInterval(each) {
  return typeof each === "object" && each !== null && typeof each.value === "number";
}

/**
 * @param {Interval} each
 * @param {boolean} [signed]
 */
function interval({ value, low, high }, signed = false) {
  const shown = (/** @type {number} */ number) => `${signed && number > 0 ? "+" : ""}${number.toFixed(3)}`;
  return `${shown(value)} [${shown(low)}, ${shown(high)}]`;
}

/** @param {string} name */
function named(name) {
  return NAMES[name] ?? name.replaceAll("_", " ");
}
