/**
 * The map of the score over a face's crop: red where covering a part lowers the score, blue where it raises it.
 */

import { element } from "./dom.js";
import { sentence } from "./words.js";

/** @typedef {import("./types.js").ScoreMap} ScoreMap */

const SIZE = 224;
const MORE = [214, 64, 24];
const LESS = [40, 96, 214];
const STRENGTH = 0.6;

/**
 * The crop, with its map or without.
 *
 * @param {ScoreMap} map
 * @param {boolean} shown whether the map lies over it
 */
export function heat(map, shown) {
  const what = shown ? `Map of the score over the face: ${map.text}` : "The face as the detector takes it";
  const canvas = /** @type {HTMLCanvasElement} */ (
    element("canvas", { width: SIZE, height: SIZE, role: "img", "aria-label": what })
  );
  const image = new Image();
  image.addEventListener("load", () => draw(canvas, image, shown ? map.falls : null));
  image.src = map.crop;
  const legend = element(
    "figcaption",
    {},
    element("span", { class: "swatch more", "aria-hidden": "true" }),
    "Red: covering this part lowers the score. ",
    element("span", { class: "swatch less", "aria-hidden": "true" }),
    `Blue: it raises it. ${sentence(map.text)} The map is inferred. It says what the detector looks at, not where a `
      + "face was forged.",
  );
  const plain = element("figcaption", {}, "The face as the detector takes it. The map is off.");
  return element("figure", { class: "map" }, canvas, shown ? legend : plain);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} image
 * @param {number[][] | null} falls
 */
function draw(canvas, image, falls) {
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  pen.drawImage(image, 0, 0, SIZE, SIZE);
  if (!falls) return;
  const pixels = pen.getImageData(0, 0, SIZE, SIZE);
  const most = Math.max(1e-9, ...falls.flat().map(Math.abs));
  for (let row = 0; row < SIZE; row += 1) {
    for (let column = 0; column < SIZE; column += 1) {
      const place = 4 * (row * SIZE + column);
      const share = between(falls, row, column) / most;
      const [red, green, blue] = pixels.data.subarray(place, place + 3);
      const grey = 0.299 * red + 0.587 * green + 0.114 * blue;
      const colour = share > 0 ? MORE : LESS;
      for (let part = 0; part < 3; part += 1) {
        pixels.data[place + part] = grey + STRENGTH * Math.abs(share) * (colour[part] - grey);
      }
    }
  }
  pen.putImageData(pixels, 0, 0);
}

/**
 * The map at a pixel, smooth between the middles of its cells: a cell has no border in the face.
 *
 * @param {number[][]} falls
 * @param {number} row
 * @param {number} column
 */
function between(falls, row, column) {
  const [y, top] = cell(row, falls.length);
  const [x, left] = cell(column, falls[0].length);
  const [above, below] = [falls[top], falls[Math.min(top + 1, falls.length - 1)]];
  const right = Math.min(left + 1, above.length - 1);
  const along = (/** @type {number[]} */ line) => line[left] + x * (line[right] - line[left]);
  return along(above) + y * (along(below) - along(above));
}

/**
 * @param {number} pixel
 * @param {number} cells
 */
function cell(pixel, cells) {
  const place = Math.min(Math.max(((pixel + 0.5) * cells) / SIZE - 0.5, 0), cells - 1);
  return [place - Math.floor(place), Math.floor(place)];
}
