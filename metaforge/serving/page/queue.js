/**
 * The files of a review and what was said of them: most suspicious first, and each mark can be taken back.
 */

/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Label} Label */

/**
 * @typedef {object} Mark what a reviewer says of a file
 * @property {Item} item
 * @property {Label} label
 * @property {string} note
 * @property {string} time UTC
 * @property {"sending" | "sent" | "failed"} state whether the service has it
 * @property {string} id by which the service knows it; "" if it does not
 * @property {string} why it could not be sent; ""
 */

const RANK = { real: 0, "cannot tell": 1, fake: 2 };

/** A review. */
export class Queue {
  constructor() {
    /** @type {Item[]} */
    this.items = [];
    /** In the order in which they were made. @type {Mark[]} */
    this.marks = [];
    /** @type {Map<Item, Mark>} */
    this.byItem = new Map();
    /** @type {Item | null} */
    this.current = null;
  }

  /** Those that have a verdict, the most suspicious first. */
  judged() {
    return this.items.filter((item) => item.answer).sort((one, other) => compared(other, one));
  }

  /** Those that cannot be judged. */
  failed() {
    return this.items.filter((item) => item.problem);
  }

  /** @param {Item} item */
  markOf(item) {
    return this.byItem.get(item) ?? null;
  }

  /** The file that is looked at: where there is none, the most suspicious of which nothing was said. */
  settle() {
    this.current ??= this.judged().find((item) => !this.markOf(item)) ?? null;
    return this.current;
  }

  /**
   * Says what the current file is, and goes on.
   *
   * @param {Label} label
   * @param {string} note
   * @returns {{mark: Mark, before: Mark | null} | null} the mark, and the one that it takes the place of
   */
  mark(label, note) {
    const item = this.current;
    if (!item) return null;
    const before = this.markOf(item);
    const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const mark = /** @type {Mark} */ ({ item, label, note, time, state: "sending", id: "", why: "" });
    this.marks = [...this.marks.filter((each) => each !== before), mark];
    this.byItem.set(item, mark);
    this.current = null;
    this.settle();
    return { mark, before };
  }

  /** Takes the last mark back, and goes to its file. */
  undo() {
    const mark = this.marks.pop() ?? null;
    if (mark) {
      this.byItem.delete(mark.item);
      this.current = mark.item;
    }
    return mark;
  }
}

/**
 * Which of two judged files is the more suspicious, as the file's record says it of its faces.
 *
 * @param {Item} one
 * @param {Item} other
 */
function compared(one, other) {
  const place = (/** @type {Item} */ item) => {
    const verdict = item.answer?.verdict;
    return verdict ? [RANK[verdict.decision], verdict.p_fake ?? -1] : [-1, -1];
  };
  const [mine, its] = [place(one), place(other)];
  return mine[0] - its[0] || mine[1] - its[1];
}
