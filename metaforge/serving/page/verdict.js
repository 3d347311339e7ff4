/**
 * The verdict on one file: what was decided and why, the picture, its faces, and what can be asked for beside it.
 */

import { button, called, element, facts } from "./dom.js";
import { faceSection } from "./face.js";
import { preview } from "./preview.js";
import { save } from "./saving.js";
import { regions } from "./regions.js";
import { bytes, decision, flagged, mistakes, origin, probability, reduced, sentence } from "./words.js";

/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Verdict} Verdict */

/**
 * @typedef {object} How
 * @property {boolean} named whether the detector names regions
 * @property {boolean} [within] whether it stands in a review
 * @property {(wanted: Item["had"]) => Promise<boolean>} askMore judges it once more, with a map or evidence; whether
 *   that went well
 */

/**
 * Shows a judged file.
 *
 * @param {HTMLElement} place what was there is replaced
 * @param {Item} item that has an answer
 * @param {How} how
 */
export function showVerdict(place, item, how) {
  const { verdict, timing_ms: timing, degraded } = /** @type {Answer} */ (item.answer);
  const again = () => place.isConnected && showVerdict(place, item, how);
  const level = how.within ? 3 : 2;
  const one = verdict.faces.length === 1;
  place.replaceChildren(
    element(`h${level}`, {}, "Verdict on ", called(item.name)),
    element("p", { class: "verdict" }, decision(verdict.decision)),
    element("p", { class: "reason" }, sentence(verdict.reason)),
    overall(verdict),
    element("p", { class: "limits" }, sentence(verdict.limits)),
    degraded?.length ? element("p", { class: "note" }, reduced(degraded)) : "",
    verdict.quality.length ? facts([["Quality of the file", flagged(verdict.quality)]]) : "",
    preview(item),
    actions(item, how, again),
    ...verdict.faces.map((face) => faceSection(face, item, { level: level + 1, one })),
    verdict.faces.length ? regions(item, how.named, level + 1) : "",
    // In a review they would stand between one file and the next.
    element("details", { open: !how.within }, element("summary", {}, "The file, its origin, and the detector"),
      fileFacts(item, verdict), detectorFacts(verdict, timing)),
    element(`h${level + 1}`, {}, "What this does not say"),
    limits(),
  );
}

/** @param {Verdict} verdict */
function overall(verdict) {
  if (verdict.p_fake === null) return "";
  const worst = verdict.faces.length > 1 ? " That of the most suspicious face counts." : "";
  return element("p", {}, "p(fake) is ", element("strong", {}, probability(verdict.p_fake)),
    `, if half of such files were fake.${worst}`);
}

/**
 * @param {Item} item
 * @param {How} how
 * @param {() => void} again shows the verdict anew
 */
function actions(item, how, again) {
  const verdict = /** @type {Answer} */ (item.answer).verdict;
  const download = () => save(`${item.name.split("/").pop()}.verdict.json`, JSON.stringify(verdict, null, 1), "json");
  return element(
    "div",
    { class: "actions", role: "group", "aria-label": "More on this file" },
    verdict.faces.length > 0 && toggle("map", how.named ? "Map and regions" : "Map of the score", item, how, again),
    // It is measured in pictures alone.
    verdict.faces.length > 0 && verdict.kind === "image" && toggle("evidence", "Evidence", item, how, again),
    button("Download the record (JSON)", download),
  );
}

/**
 * A button that shows something and hides it; the first time it is asked for.
 *
 * @param {"map" | "evidence"} what
 * @param {string} label
 * @param {Item} item
 * @param {How} how
 * @param {() => void} again
 */
function toggle(what, label, item, how, again) {
  const press = async () => {
    if (made.getAttribute("aria-disabled")) return;
    if (!item.had[what]) {
      // Not `disabled`, which would take the focus away.
      made.setAttribute("aria-disabled", "true");
      const good = await how.askMore({ ...item.had, [what]: true });
      made.removeAttribute("aria-disabled");
      if (!good) return;
    }
    item.more[what] = !item.more[what];
    const held = document.activeElement === made;
    again();
    // The button was made anew, and keeps the focus.
    if (held) /** @type {HTMLElement | null} */ (document.querySelector(`[data-toggle="${what}"]`))?.focus();
  };
  const made = button(label, press, { "aria-pressed": String(item.more[what]), "data-toggle": what });
  return made;
}

/**
 * @param {Item} item
 * @param {Verdict} verdict
 */
function fileFacts(item, verdict) {
  const size = verdict.size ? `, ${verdict.size[1]} × ${verdict.size[0]} pixels` : "";
  return facts([
    ["File", called(item.name)],
    ["Kind", `${verdict.kind}${size}${verdict.bytes === null ? "" : `, ${bytes(verdict.bytes)}`}`],
    ["SHA-256", verdict.sha256 && element("code", {}, verdict.sha256)],
    ["Judged", `${verdict.time.replace("T", " ").replace("Z", "")} UTC`],
    ["Content Credentials (C2PA)", origin(verdict.provenance)],
    ["Source type", verdict.provenance.source_type],
    ["Signed by", verdict.provenance.signer],
  ]);
}

/**
 * @param {Verdict} verdict
 * @param {Record<string, number>} [timing]
 */
function detectorFacts(verdict, timing) {
  const { thresholds, model } = verdict;
  return facts([
    ["Detector", model.name],
    ["Its SHA-256", element("code", {}, model.sha256)],
    ["Calibrated on", model.fitted_on || "nothing"],
    ["Decided by", `real below ${thresholds.real_below.toFixed(4)}, fake above ${thresholds.fake_above.toFixed(4)}, `
      + "otherwise cannot tell"],
    ["Thresholds fitted on", thresholds.fitted_on || "nothing"],
    ["For", mistakes(thresholds)],
    ["Time", timing ? `${Math.round(timing.total)} ms in the service` : ""],
  ]);
}

function limits() {
  const said = [
    "Real says that the detector knows no such forgery; cannot tell does not mean suspicious.",
    "Documents, voices and sound are not judged.",
  ];
  return element("ul", {}, ...said.map((line) => element("li", {}, sentence(line))));
}
