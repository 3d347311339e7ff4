/**
 * What the page says by itself: what it is doing, that the service is busy, and what went wrong.
 */

import { Problem, asProblem } from "./api.js";
import { button, byId, called, element } from "./dom.js";

/**
 * Says a sentence, to eyes and to screen readers.
 *
 * @param {string} sentence
 */
export function say(sentence) {
  byId("status").textContent = sentence;
}

/**
 * Says a sentence to screen readers alone: what eyes see at once.
 *
 * @param {string} sentence
 */
export function announce(sentence) {
  byId("status").textContent = "";
  byId("heard").textContent = sentence;
}

/**
 * Shows that something waits for the service. The seconds are counted for eyes alone; that it waits is said once.
 *
 * @param {string} line "" when it is over
 */
export function waiting(line) {
  const place = byId("waiting");
  if (line && place.hidden) announce("The service is busy. The page tries again by itself.");
  place.hidden = !line;
  place.textContent = line;
}

/**
 * Shows what went wrong in the service's own sentence.
 *
 * @param {unknown} error
 * @param {(() => void) | null} [again] what is done if it is to be tried again
 * @param {string} [name] the file that it is about
 */
export function showProblem(error, again = null, name = "") {
  const problem = asProblem(error);
  const place = byId("problem");
  const retry = () => {
    clearProblem();
    again?.();
  };
  place.replaceChildren(
    element("p", {}, element("span", { "aria-hidden": "true" }, "! "), name ? called(name) : "", name ? ": " : "",
      problem.message),
    problem.requestId ? element("p", { class: "soft" }, "In the service's log it is ", element("code", {}, problem.requestId)) : "",
    element("div", { class: "actions" }, again && button("Try again", retry), button("Close this message", clearProblem)),
  );
  place.hidden = false;
}

/**
 * Shows a sentence of the page's own in the same place.
 *
 * @param {string} sentence
 * @param {(() => void) | null} [again]
 */
export function showSentence(sentence, again = null) {
  showProblem(new Problem(0, "page", sentence), again);
}

/** Takes it away. */
export function clearProblem() {
  byId("problem").replaceChildren();
  byId("problem").hidden = true;
}

/**
 * Shows that work is being done, and lets it be called off.
 *
 * @param {string} what
 * @param {AbortController} control
 * @returns {() => void} takes the line away
 */
export function working(what, control) {
  const seconds = element("span", { "aria-hidden": "true" });
  const line = element("div", { class: "working" },
    element("p", {}, element("span", { class: "turning", "aria-hidden": "true" }), what, seconds),
    button("Stop", () => control.abort()));
  const began = Date.now();
  const tick = () => {
    const passed = Math.round((Date.now() - began) / 1000);
    if (passed > 1) seconds.textContent = ` ${passed} s`;
  };
  const clock = setInterval(tick, 1000);
  byId("working").append(line);
  return () => {
    clearInterval(clock);
    line.remove();
  };
}
