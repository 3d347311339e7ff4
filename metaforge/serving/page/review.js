/**
 * The review of many files: one after the other, with real, fake and skip by buttons and keys.
 */

import { byId, element } from "./dom.js";
import { Sender } from "./feedback.js";
import { failedOf, listOf } from "./listing.js";
import { say, waiting } from "./notices.js";
import { Queue } from "./queue.js";
import { correctionsOf, resultsOf, save } from "./saving.js";
import { counted } from "./words.js";

/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Label} Label */

const KEYS = /** @type {Record<string, Label | "undo">} */ ({ r: "real", f: "fake", s: "skip", u: "undo" });

/** The review, and what is seen of it. */
export class Review {
  /**
   * @param {object} page
   * @param {(place: HTMLElement, item: Item) => void} page.show shows the verdict on a file
   * @param {(items: Item[]) => void} page.retry judges files once more
   * @param {() => void} page.closed
   * @param {() => void} page.changed is called when there are other marks
   */
  constructor(page) {
    this.page = page;
    this.queue = new Queue();
    this.sender = new Sender(() => this.showSent(), waiting);
    /** Marks that no file holds yet. */
    this.unsaved = 0;
    /** @type {Item | null} */
    this.shown = null;
    for (const label of /** @type {Label[]} */ (["real", "fake", "skip"])) {
      byId(`mark-${label}`).addEventListener("click", () => this.mark(label));
    }
    byId("undo").addEventListener("click", () => this.undo());
    byId("save-corrections").addEventListener("click", () => this.saveCorrections());
    byId("save-results").addEventListener("click", () => save("results.jsonl", resultsOf(this.queue.judged()), "jsonl"));
    byId("close-review").addEventListener("click", () => this.close());
    document.addEventListener("keydown", (event) => this.pressed(event));
    addEventListener("beforeunload", (event) => {
      if (this.unsaved) event.preventDefault();
    });
  }

  get open() {
    return this.queue.items.length > 0;
  }

  /** @param {Item[]} items */
  add(items) {
    this.queue.items.push(...items);
    byId("review").hidden = false;
    this.draw();
  }

  /** @param {Label} label */
  mark(label) {
    const note = byId("note", HTMLInputElement);
    const made = this.queue.mark(label, note.value.trim());
    if (!made) return;
    note.value = "";
    this.unsaved += 1;
    if (made.before) this.sender.takeBack(made.before);
    this.sender.send(made.mark);
    const next = this.queue.current;
    say(`${made.mark.item.name}: ${label}. ${next ? this.told(next) : "Every judged file is reviewed."}`);
    this.draw();
  }

  undo() {
    const mark = this.queue.undo();
    if (!mark) return;
    this.unsaved += 1;
    this.sender.takeBack(mark);
    byId("note", HTMLInputElement).value = mark.note;
    say(`Taken back: ${mark.item.name} is not ${mark.label} any more.`);
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const does = KEYS[event.key.toLowerCase()];
    const writes = event.target instanceof Element && event.target.closest("input:not([type=checkbox]), select, textarea");
    const free = this.open && byId("keys", HTMLInputElement).checked && !event.repeat;
    if (!does || writes || !free || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (does === "undo") this.undo();
    else this.mark(does);
  }

  saveCorrections() {
    save("corrections.jsonl", correctionsOf(this.queue.marks), "jsonl");
    this.unsaved = 0;
  }

  close() {
    const lost = "What was reviewed since the last download is not in a file of yours. Close the review all the same?";
    if (this.unsaved && !confirm(lost)) return;
    this.queue = new Queue();
    this.unsaved = 0;
    this.shown = null;
    byId("review").hidden = true;
    byId("review-item").replaceChildren();
    byId("choose").focus();
    this.page.closed();
  }

  /** Shows all of it anew. */
  draw() {
    const { queue } = this;
    const now = queue.settle();
    const [judged, failed] = [queue.judged(), queue.failed()];
    const done = judged.length + failed.length;
    const progress = byId("review-progress", HTMLProgressElement);
    [progress.max, progress.value] = [queue.items.length, queue.marks.length + failed.length];
    byId("review-counts").textContent = [
      `Judged ${done} of ${counted(queue.items.length, "file")}`,
      `reviewed ${queue.marks.length}`,
      ...(failed.length ? [`${failed.length} could not be judged`] : []),
    ].join("; ") + ".";
    for (const id of ["mark-real", "mark-fake", "mark-skip"]) able(id, now !== null);
    able("undo", queue.marks.length > 0);
    able("save-corrections", queue.marks.some((mark) => mark.label !== "skip"));
    able("save-results", judged.length > 0);
    this.drawItem(now, done);
    byId("review-list").replaceChildren(listOf(queue, (item) => this.goTo(item)));
    byId("review-failed").hidden = !failed.length;
    byId("review-failed").replaceChildren(...failedOf(failed, () => this.page.retry(failed)));
    this.showSent();
    this.page.changed();
  }

  /**
   * @param {Item | null} now
   * @param {number} done
   */
  drawItem(now, done) {
    const place = byId("review-item");
    if (now && now === this.shown && place.childElementCount) return;
    this.shown = now;
    if (now) this.page.show(place, now);
    else place.replaceChildren(element("p", {}, this.queue.items.length > done ? "The first verdict comes soon." :
      "Nothing is left to review. Download what was reviewed, or add files."));
  }

  /** @param {Item} item */
  goTo(item) {
    this.queue.current = item;
    const mark = this.queue.markOf(item);
    byId("note", HTMLInputElement).value = mark?.note ?? "";
    this.draw();
    byId("review-item").scrollIntoView();
    say(this.told(item));
  }

  showSent() {
    const { marks } = this.queue;
    const sent = marks.filter((mark) => mark.state === "sent").length;
    const failed = [...marks.filter((mark) => mark.state === "failed"), ...this.sender.left];
    const lines = [`${sent} of ${counted(marks.length, "mark")} kept by the service.`];
    if (failed.length) lines.push(`${failed.length} could not be sent: ${failed[0].why}`);
    byId("sent").textContent = marks.length || failed.length ? lines.join(" ") : "";
    byId("send-again").hidden = !failed.length;
    byId("send-again").onclick = () => this.sender.again(this.queue.marks);
  }

  /** @param {Item} item */
  told(item) {
    const verdict = item.answer?.verdict;
    return `Now ${item.name}: ${verdict?.decision}, ${verdict?.reason}.`;
  }
}

/**
 * @param {string} id
 * @param {boolean} can
 */
function able(id, can) {
  // Not `disabled`: a button that has the focus keeps it.
  const place = byId(id);
  if (can) place.removeAttribute("aria-disabled");
  else place.setAttribute("aria-disabled", "true");
}
