/**
 * Files that the page hands out: a record, all verdicts, and what was reviewed. They are made here and sent nowhere.
 */

import { element } from "./dom.js";

/** @typedef {import("./queue.js").Mark} Mark */
/** @typedef {import("./types.js").Item} Item */

const KINDS = { json: "application/json", jsonl: "application/x-ndjson" };

/**
 * Hands out a file.
 *
 * @param {string} name
 * @param {string} text
 * @param {"json" | "jsonl"} kind
 */
export function save(name, text, kind) {
  const address = URL.createObjectURL(new Blob([text, "\n"], { type: KINDS[kind] }));
  element("a", { href: address, download: name }).click();
  // The browser reads it after this function has ended.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/**
 * All verdicts, one a line, as `metaforge screen` writes them: its results.jsonl. Files are called as they are here, so
 * that those of a folder are found in it.
 *
 * @param {Item[]} items
 */
export function resultsOf(items) {
  return lines(items.flatMap((item) => (item.answer ? [{ ...item.answer.verdict, file: item.name }] : [])));
}

/**
 * What was reviewed, one a line, as `metaforge corrections` reads it. What was skipped says nothing.
 *
 * @param {Mark[]} marks
 */
export function correctionsOf(marks) {
  return lines(
    marks.flatMap(({ item, label, note, time }) => {
      const verdict = item.answer?.verdict;
      if (!verdict || label === "skip") return [];
      const { sha256, decision } = verdict;
      return [{ file: item.name, sha256, decision, correction: label, note, time }];
    }),
  );
}

/** @param {object[]} records */
function lines(records) {
  return records.map((record) => JSON.stringify(record)).join("\n");
}
