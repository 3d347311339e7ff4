/**
 * What a reviewer says goes to the service: mark after mark, in their order, without the picture.
 */

import { ask, asProblem } from "./api.js";

/** @typedef {import("./queue.js").Mark} Mark */
/** @typedef {import("./types.js").Face} Face */
/** @typedef {import("./types.js").Verdict} Verdict */

/** Sends marks, and takes them back. */
export class Sender {
  /**
   * @param {() => void} told is called when a mark's state has changed
   * @param {(line: string) => void} waiting
   */
  constructor(told, waiting) {
    this.told = told;
    this.waiting = waiting;
    /** Taken back here, but not by the service. @type {{mark: Mark, why: string}[]} */
    this.left = [];
    this.last = Promise.resolve();
  }

  /** @param {Mark} mark */
  send(mark) {
    this.after(async () => {
      try {
        const verdict = /** @type {Verdict} */ (mark.item.answer?.verdict);
        const body = { sha256: verdict.sha256, label: mark.label, verdict, ...faceOf(verdict), ...noteOf(mark) };
        const kept = await ask("/v1/feedback", { method: "POST", body, waiting: this.waiting });
        Object.assign(mark, { id: String(kept.id), state: "sent", why: "" });
      } catch (error) {
        Object.assign(mark, { state: "failed", why: asProblem(error).message });
      }
    });
  }

  /** @param {Mark} mark */
  takeBack(mark) {
    this.after(async () => {
      if (!mark.id) return;
      try {
        const path = `/v1/feedback/${encodeURIComponent(mark.id)}`;
        await ask(path, { method: "DELETE", waiting: this.waiting });
      } catch (error) {
        const problem = asProblem(error);
        // What the service does not know any more needs not be taken back.
        if (problem.status !== 404) this.left.push({ mark, why: problem.message });
      }
    });
  }

  /**
   * Tries once more what failed.
   *
   * @param {Mark[]} marks
   */
  again(marks) {
    for (const { mark } of this.left.splice(0)) this.takeBack(mark);
    for (const mark of marks.filter((each) => each.state === "failed")) {
      mark.state = "sending";
      this.send(mark);
    }
    this.told();
  }

  /** @param {() => Promise<void>} step */
  after(step) {
    this.last = this.last.then(step).then(this.told);
  }
}

/**
 * The face that the verdict on the file is that of.
 *
 * @param {Verdict} verdict
 * @returns {{face?: number}}
 */
function faceOf(verdict) {
  const of = verdict.faces.filter((face) => face.decision === verdict.decision && face.p_fake === verdict.p_fake);
  return of.length ? { face: of[0].number } : {};
}

/** @param {Mark} mark */
function noteOf(mark) {
  return mark.note ? { note: mark.note } : {};
}
