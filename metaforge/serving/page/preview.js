/**
 * The picture as the browser has it, with a frame and a number for each face. It is not sent anywhere to be shown.
 */

import { drawn, element } from "./dom.js";
import { isVideo } from "./judging.js";
import { counted } from "./words.js";

/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Face} Face */
/** @typedef {import("./types.js").Verdict} Verdict */

/** The address of the video that is shown; one of a picture is not needed once it is there. */
let playing = "";

/**
 * @param {Item} item
 */
export function preview(item) {
  const verdict = item.answer?.verdict ?? null;
  const video = verdict ? verdict.kind === "video" : isVideo(item.file);
  return video ? moving(item, verdict) : still(item, verdict);
}

/**
 * @param {Item} item
 * @param {Verdict | null} verdict
 */
function still(item, verdict) {
  const address = URL.createObjectURL(item.file);
  const faces = (verdict?.faces ?? []).filter((face) => face.box);
  const caption = element("figcaption", {}, verdict ? inWords(verdict) : "Not judged yet.");
  const image = /** @type {HTMLImageElement} */ (element("img", { alt: alternative(verdict, faces), src: address }));
  const frame = element("div", { class: "frame" }, image);
  image.addEventListener("load", () => {
    URL.revokeObjectURL(address);
    const size = verdict?.size;
    if (!size || !faces.length) return;
    if (image.naturalHeight === size[0] && image.naturalWidth === size[1]) frame.append(boxes(faces, size));
    else caption.append(" The browser shows it in another size than was judged, so no frames are drawn.");
  });
  image.addEventListener("error", () => {
    URL.revokeObjectURL(address);
    frame.replaceChildren(element("p", { class: "soft" }, "This browser cannot show this file."));
  });
  return element("figure", { class: "picture" }, frame, caption);
}

/**
 * @param {Item} item
 * @param {Verdict | null} verdict
 */
function moving(item, verdict) {
  if (playing) URL.revokeObjectURL(playing);
  playing = URL.createObjectURL(item.file);
  const video = element("video", { src: playing, controls: true, muted: true, preload: "metadata", playsinline: true,
    "aria-label": "The video" });
  const frame = element("div", { class: "frame" }, video);
  video.addEventListener("error", () => {
    frame.replaceChildren(element("p", { class: "soft" }, "This browser cannot play this video."));
  });
  const said = verdict
    ? `${counted(verdict.faces.length, "person").replace("persons", "people")} found. No frames are drawn in a video.`
    : "Not judged yet.";
  return element("figure", { class: "picture" }, frame, element("figcaption", {}, said));
}

/**
 * @param {Verdict} verdict
 */
function inWords(verdict) {
  const { faces } = verdict;
  if (!faces.length) return "No face was found.";
  if (faces.every((face) => face.number === 0)) return "It is taken for a crop of one face.";
  const said = faces.map((face) => `face ${face.number}: ${face.decision}`).join("; ");
  return `${counted(faces.length, "face")} (${said}).`;
}

/**
 * @param {Verdict | null} verdict
 * @param {Face[]} faces
 */
function alternative(verdict, faces) {
  if (!faces.length) return verdict ? "The picture that was judged" : "The picture";
  const said = faces.map((face) => `face ${face.number}, ${face.decision}`).join("; ");
  return `The picture with ${faces.length === 1 ? "a frame" : "frames"} around ${said}`;
}

/**
 * @param {Face[]} faces
 * @param {[number, number]} size height and width
 */
function boxes(faces, [height, width]) {
  const high = Math.max(width, height) / 28;
  const marks = faces.flatMap((face) => {
    const [x0, y0, x1, y1] = /** @type {number[]} */ (face.box);
    const kind = face.decision.split(" ")[0];
    const top = Math.max(y0 - 1.3 * high, 0);
    const name = String(face.number);
    // A number on a ground of its own can be read on any picture.
    return [
      drawn("rect", { class: "around under", x: x0, y: y0, width: x1 - x0, height: y1 - y0 }),
      drawn("rect", { class: `around ${kind}`, x: x0, y: y0, width: x1 - x0, height: y1 - y0 }),
      drawn("rect", { class: `ground ${kind}`, x: x0, y: top, width: high * (0.5 + 0.6 * name.length), height: 1.3 * high }),
      drawn("text", { class: "number", x: x0 + 0.3 * high, y: top + high, "font-size": high }, name),
    ];
  });
  return drawn("svg", { class: "boxes", "aria-hidden": "true", viewBox: `0 0 ${width} ${height}` }, ...marks);
}
