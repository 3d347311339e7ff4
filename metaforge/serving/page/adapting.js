/**
 * A detector adapted on what was reviewed: sent when it is asked for, followed until it ends, and called off.
 */

import { ask, asProblem } from "./api.js";
import { byId, button, element, facts } from "./dom.js";
import { say, showProblem, waiting, working } from "./notices.js";
import { report } from "./report.js";
import { counted, sentence } from "./words.js";

/** @typedef {import("./queue.js").Mark} Mark */
/** @typedef {import("./types.js").Adapter} Adapter */

/** Milliseconds between two looks at an adapter's state. */
const EACH = 1000;

const STATES = {
  queued: "It waits for its turn.",
  running: "It is being made.",
  done: "It is made.",
  failed: "It could not be made.",
  cancelled: "It was called off.",
};

/** The form, and the adapter that was asked for last. */
export class Adapting {
  /**
   * @param {object} page
   * @param {() => Mark[]} page.marks
   * @param {(id: string) => void} page.made is told of an adapter that can be chosen now
   * @param {() => boolean} page.crops whether the pictures are face crops
   */
  constructor(page) {
    this.page = page;
    /** @type {Adapter | null} */
    this.adapter = null;
    this.sending = false;
    byId("adapt-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  /** What can be adapted on: pictures of which a label was said. */
  usable() {
    return this.page.marks().filter(({ item, label }) => label !== "skip" && item.answer?.verdict.kind === "image");
  }

  /** Says how many there are. */
  draw() {
    const count = (/** @type {string} */ label) => this.usable().filter((mark) => mark.label === label).length;
    byId("adapt-counts").textContent = `Reviewed so far: ${counted(count("real"), "real picture")} and `
      + `${counted(count("fake"), "fake one")}. Half of the people are set aside to test on.`;
  }

  async send() {
    if (this.sending) return;
    const body = new FormData();
    const shots = byId("adapt-shots", HTMLInputElement).value;
    if (shots) body.set("shots", shots);
    const name = byId("adapt-name", HTMLInputElement).value.trim();
    if (name) body.set("name", name);
    if (this.page.crops()) body.set("crops", "true");
    // A folder that says the class says of nobody that they belong together.
    for (const { item, label } of this.usable()) body.append(label, item.file, item.name.replace(/^(real|fake)\//, ""));
    const control = new AbortController();
    this.sending = true;
    const done = working("The reviewed pictures are being sent.", control);
    try {
      this.show(await ask("/v1/adapt", { method: "POST", body, signal: control.signal, waiting }));
      this.follow();
    } catch (error) {
      if (!control.signal.aborted) showProblem(error);
    } finally {
      this.sending = false;
      done();
    }
  }

  /** Looks at the adapter's state until it has ended. */
  async follow() {
    const id = this.adapter?.id;
    try {
      while (this.adapter?.id === id && ["queued", "running"].includes(this.adapter?.state ?? "")) {
        await new Promise((done) => setTimeout(done, EACH));
        const now = await ask(`/v1/adapters/${encodeURIComponent(id ?? "")}`, { waiting });
        if (now.state !== this.adapter?.state && this.adapter?.id === id) this.show(now);
      }
      if (id && this.adapter?.id === id && this.adapter.state === "done") this.page.made(id);
    } catch (error) {
      showProblem(error, () => this.follow());
    }
  }

  async cancel() {
    const id = encodeURIComponent(this.adapter?.id ?? "");
    try {
      await ask(`/v1/adapters/${id}`, { method: "DELETE", waiting });
      const gone = await ask(`/v1/adapters/${id}`, { waiting }).catch((error) => {
        if (asProblem(error).status === 404) return { ...this.adapter, state: "cancelled" };
        throw error;
      });
      this.show(gone);
    } catch (error) {
      showProblem(error);
    }
  }

  /** @param {Adapter} adapter */
  show(adapter) {
    this.adapter = adapter;
    const said = STATES[adapter.state] ?? adapter.state;
    say(`Adapter ${adapter.name || adapter.id}: ${said}`);
    const waits = ["queued", "running"].includes(adapter.state);
    byId("adapter").replaceChildren(
      element("h4", {}, "Adapter ", element("bdi", {}, adapter.name || adapter.id)),
      element("p", {}, waits ? element("span", { class: "turning", "aria-hidden": "true" }) : null, said),
      adapter.error ? element("p", { class: "note" }, sentence(adapter.error)) : "",
      adapter.message ? element("p", {}, element("strong", {}, adapter.message)) : "",
      adapter.report ? report(adapter.report, adapter.decision) : "",
      facts([["Its id", element("code", {}, adapter.id)]]),
      waits ? element("div", { class: "actions" }, button("Call it off", () => this.cancel())) : "",
    );
  }
}
