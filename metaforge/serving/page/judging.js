/**
 * Files to verdicts: one by itself, or many in parcels, of which a bad file spoils none.
 */

import { BUSY, ask, asProblem, isAborted, patience, Problem } from "./api.js";

/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Answer} Answer */

/** Pictures, and bytes, of a parcel at most. */
const MANY = 8;
const BYTES = 16e6;

/** What ends so is sent by itself: a video takes its time. */
const VIDEO = /\.(mp4|m4v|mov|avi|mkv|webm|mpe?g|ogv|wmv|flv|3gp|ts)$/i;

/**
 * A file that has just been given.
 *
 * @param {File} file
 * @param {string} name
 * @param {Item["asked"]} asked
 * @returns {Item}
 */
export function itemOf(file, name, asked) {
  const none = { map: false, evidence: false };
  return { file, name, asked, answer: null, problem: null, had: none, more: { ...none } };
}

/** @param {File} file */
export function isVideo(file) {
  return file.type.startsWith("video/") || VIDEO.test(file.name);
}

/**
 * Judges one file.
 *
 * @param {Item} item
 * @param {{map?: boolean, evidence?: boolean, signal?: AbortSignal, waiting?: (line: string) => void}} [asking]
 * @returns {Promise<Answer>}
 */
export function judge(item, { map = false, evidence = false, signal, waiting } = {}) {
  const body = new FormData();
  if (map) body.set("map", "true");
  if (evidence) body.set("evidence", "true");
  options(body, item.asked);
  body.set("file", item.file, item.name);
  return ask("/v1/predict", { method: "POST", body, signal, waiting });
}

/**
 * Judges many files. Each item has its answer or its problem when it is told.
 *
 * @param {Item[]} items that are asked in the same way
 * @param {(done: Item[]) => void} told
 * @param {{signal?: AbortSignal, waiting?: (line: string) => void}} [asking]
 * @throws {DOMException} when it is called off
 */
export async function judgeAll(items, told, { signal, waiting } = {}) {
  for (const parcel of parcels(items)) {
    await judgeParcel(parcel, { signal, waiting });
    told(parcel);
  }
}

/**
 * Items in parcels: videos, and what is large, by themselves.
 *
 * @param {Item[]} items
 */
export function parcels(items) {
  const found = [];
  let held = /** @type {Item[]} */ ([]);
  let size = 0;
  for (const item of items) {
    const alone = isVideo(item.file);
    if (held.length && (alone || held.length === MANY || size + item.file.size > BYTES)) {
      found.push(held);
      [held, size] = [[], 0];
    }
    if (alone) found.push([item]);
    else {
      held.push(item);
      size += item.file.size;
    }
  }
  return held.length ? [...found, held] : found;
}

/**
 * @param {Item[]} parcel
 * @param {{signal?: AbortSignal, waiting?: (line: string) => void}} asking
 */
async function judgeParcel(parcel, asking) {
  try {
    if (parcel.length === 1) parcel[0].answer = await judge(parcel[0], asking);
    else await judgeTogether(parcel, asking);
  } catch (error) {
    if (isAborted(error)) throw error;
    if (parcel.length > 1 && asProblem(error).code === "too_large") {
      // Together they are too much: each is asked for by itself.
      for (const item of parcel) await judgeParcel([item], asking);
    } else {
      for (const item of parcel.filter(({ answer }) => !answer)) item.problem ??= asProblem(error);
    }
  }
}

/**
 * @param {Item[]} parcel
 * @param {{signal?: AbortSignal, waiting?: (line: string) => void}} asking
 */
async function judgeTogether(parcel, asking) {
  let left = parcel;
  for (let attempt = 1; left.length; attempt += 1) {
    const body = new FormData();
    options(body, parcel[0].asked);
    for (const item of left) body.append("files", item.file, item.name);
    const { results, degraded } = await ask("/v1/predict/batch", { method: "POST", body, ...asking });
    if (results?.length !== left.length) {
      throw new Problem(0, "failed", "The service answered for another number of files than were sent. Try again.");
    }
    const busy = left.flatMap((item, place) => settle(item, results[place], degraded) ?? []);
    left = left.filter(({ answer, problem }) => !answer && !problem);
    // A full queue had room for some of them, perhaps.
    if (left.length) await patience(busy[0], attempt, asking);
  }
}

/**
 * @param {Item} item
 * @param {any} result
 * @param {string[]} [degraded]
 * @returns {Problem | null} why it is to be asked for once more
 */
function settle(item, result, degraded) {
  if (result.verdict) {
    item.answer = { verdict: result.verdict, degraded: result.degraded ?? degraded };
    return null;
  }
  const said = result.error?.message ?? "The service did not say what is wrong with it.";
  const problem = new Problem(result.status, result.error?.code ?? "failed", said);
  if (BUSY.includes(result.status)) return problem;
  item.problem = problem;
  return null;
}

/**
 * @param {FormData} body
 * @param {Item["asked"]} asked
 */
function options(body, asked) {
  if (asked.model !== "default") body.set("model", asked.model);
  if (asked.crops) body.set("crops", "true");
}
