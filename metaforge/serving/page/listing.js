/**
 * The files of a review as a table, and those that could not be judged with the reason.
 */

import { button, called, element, table } from "./dom.js";
import { decision, probability } from "./words.js";

/** @typedef {import("./queue.js").Queue} Queue */
/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Item} Item */

/** Rows at most: a longer table would hold up every key. */
const ROWS = 200;

/**
 * @param {Queue} queue
 * @param {(item: Item) => void} goTo is called for the file that is to be looked at
 */
export function listOf(queue, goTo) {
  const judged = queue.judged();
  const rows = judged.slice(0, ROWS).map((item) => {
    const { verdict } = /** @type {Answer} */ (item.answer);
    const open = button("", () => goTo(item), { class: "plain", "aria-current": item === queue.current && "true" });
    open.append(called(item.name));
    const score = verdict.p_fake === null ? "none" : probability(verdict.p_fake);
    return [open, decision(verdict.decision), score, queue.markOf(item)?.label ?? "not yet"];
  });
  const caption =
    judged.length > ROWS
      ? `The first ${ROWS} of ${judged.length}, most suspicious first`
      : "All judged files, most suspicious first";
  return table(caption, ["File", "Verdict", "p(fake)", "Reviewed"], rows);
}

/**
 * @param {Item[]} failed
 * @param {() => void} again tries them once more
 */
export function failedOf(failed, again) {
  const listed = failed
    .slice(0, ROWS)
    .map((item) => element("li", {}, called(item.name), ": ", item.problem?.message ?? ""));
  return [
    element("h3", {}, `Could not be judged (${failed.length})`),
    element("ul", {}, ...listed),
    element("div", { class: "actions" }, button("Try these again", again)),
  ];
}
