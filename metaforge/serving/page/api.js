/**
 * Requests to the service: with its token, and once more when it is busy. What it refuses is a `Problem`.
 */

import { askForToken, authorization } from "./token.js";

/** How often a request is made at most, while the service is busy. */
const TRIES = 8;

/** Seconds that are waited where the service does not say how long, and at most. */
const WAIT = 2;
const LONGEST = 60;

/** What a service answers that is busy, or starting. */
export const BUSY = [429, 503];

/** Why there is no answer. */
export class Problem extends Error {
  /**
   * @param {number} status 0 if the service could not be reached
   * @param {string} code
   * @param {string} message the sentence that is shown
   * @param {string} [requestId] by which the service's log knows it
   */
  constructor(status, code, message, requestId = "") {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

/**
 * @typedef {object} Asking
 * @property {string} [method]
 * @property {FormData | object} [body] an object is sent as JSON
 * @property {AbortSignal} [signal]
 * @property {(line: string) => void} [waiting] is told why and how long is waited, and then "" when it is over
 */

/**
 * Asks the service.
 *
 * @param {string} path
 * @param {Asking} [asking]
 * @returns {Promise<any>} what its JSON says; `null` of an answer without one
 * @throws {Problem}
 */
export async function ask(path, { method = "GET", body, signal, waiting = () => {} } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    const sent = authorization();
    const response = await send(path, { method, body, signal, sent });
    if (response.ok) return response.status === 204 ? null : read(response);
    const problem = await problemOf(response);
    if (response.status === 401) {
      await askForToken(problem.message, sent);
      signal?.throwIfAborted();
      attempt = 0;
    } else {
      await patience(problem, attempt, { signal, waiting, seconds: secondsOf(response.headers.get("Retry-After")) });
    }
  }
}

/**
 * Waits, if the service is busy, and says so.
 *
 * @param {Problem} problem what it said
 * @param {number} attempt how often it was asked
 * @param {Asking & {seconds?: number}} asking
 * @throws {Problem} that one, if to wait does not help, or was done often enough
 */
export async function patience(problem, attempt, { signal, waiting = () => {}, seconds = WAIT }) {
  if (!BUSY.includes(problem.status) || attempt >= TRIES) throw problem;
  const line = (/** @type {number} */ left) =>
    waiting(`${problem.message} Trying again in ${left} s (attempt ${attempt + 1} of ${TRIES}).`);
  await pause(seconds, line, signal).finally(() => waiting(""));
}

/** @param {unknown} error */
export function isAborted(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/**
 * Whatever went wrong, as a problem that can be shown.
 *
 * @param {unknown} error
 */
export function asProblem(error) {
  return error instanceof Problem ? error : new Problem(0, "failed", `The page has a fault: ${error}`);
}

async function send(path, { method, body, signal, sent }) {
  const form = body instanceof FormData || body === undefined;
  const headers = form ? sent : { ...sent, "Content-Type": "application/json" };
  try {
    return await fetch(path, {
      method,
      headers,
      signal,
      body: form ? body : JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
    });
  } catch (error) {
    if (isAborted(error)) throw error;
    // A file that was changed or removed after it was chosen ends here, too.
    throw new Problem(0, "unreachable", "The service did not answer, or the file can no longer be read. Check that "
      + "both are there, and try again.");
  }
}

/** @param {Response} response */
async function read(response) {
  try {
    return await response.json();
  } catch (error) {
    if (isAborted(error)) throw error;
    throw new Problem(response.status, "unreadable_answer", "The service's answer broke off. Try again.");
  }
}

/** @param {Response} response */
async function problemOf(response) {
  const number = response.headers.get("X-Request-ID") ?? "";
  try {
    const { error } = await response.json();
    return new Problem(response.status, String(error.code), String(error.message), error.request_id ?? number);
  } catch {
    const said = `The service answered ${response.status} without saying why. Try again, or look at its log.`;
    return new Problem(response.status, "failed", said, number);
  }
}

/**
 * @param {string | null} header seconds, or a date
 */
export function secondsOf(header) {
  const given = header?.trim() ?? "";
  const seconds = /^\d+(\.\d+)?$/.test(given) ? Number(given) : (Date.parse(given) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(Math.ceil(seconds), 1), LONGEST) : WAIT;
}

/**
 * @param {number} seconds
 * @param {(left: number) => void} each is told how many are left
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function pause(seconds, each, signal) {
  return new Promise((done, failed) => {
    let clock = 0;
    const stop = () => {
      clearTimeout(clock);
      failed(signal?.reason);
    };
    const tick = (/** @type {number} */ left) => {
      if (left > 0) {
        each(left);
        clock = setTimeout(tick, 1000, left - 1);
      } else {
        signal?.removeEventListener("abort", stop);
        done();
      }
    };
    if (signal?.aborted) stop();
    else {
      signal?.addEventListener("abort", stop, { once: true });
      tick(seconds);
    }
  });
}
