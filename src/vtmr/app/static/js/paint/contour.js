// Masks with the two-toned lines around them, pixel by pixel: each has the colour of its distance from the outline. A
// canvas strokes both lines by their shapes, which for ragged outlines takes several times as long.

import { CASING } from "../palette.js";

/** @import { View } from "../page.js" */
/** @import { Box } from "../wire.js" */
/** @import { Outline } from "./maskcache.js" */
/** @import { Style } from "./masklayer.js" */

/**
 * The colours inside and outside of an outline, by squared distance; the last one of each is that beyond `reach`.
 *
 * @typedef {{ reach: number, inside: Uint32Array, outside: Uint32Array }} Tones
 */
/** @typedef {{ x: number, y: number }} Spot On the sheet. */

const FINE = 128; // squared distances that are told apart, of a square device pixel
const SPARSE = 32; // pixels of its box for each of an outline's length, from which on stroking it costs less
const [ACROSS, MOST] = [2048, 8192]; // device pixels: how large the sheet may be
const KEPT = 100; // tones

/**
 * A mask to paint. box: whole device pixels, beyond which nothing is painted. place: where the outline is.
 *
 * @typedef {{ outline: Outline, box: Box, place: View, colour: string, opacity: number, style: Style }} Contour
 */
/**
 * turns: 1 where a row goes in or out of the outline.
 *
 * @typedef {{ nearest: Uint16Array, turns: Uint8Array, width: number, height: number, reach: number }} Field
 */
/** @typedef {ReturnType<typeof createContours>} Contours */

export function createContours() {
  // A sheet with all of them: what is drawn from a canvas that changes in between is copied each time.
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  /** @type {Map<string, Tones>} */
  const known = new Map();
  let nearest = new Uint16Array(0);
  let turns = new Uint8Array(0); // zeros in between
  let pixels = new Uint32Array(0);

  /**
   * Paints masks onto the sheet: answers where each of them is, but for those that a canvas paints faster, or for which
   * there is no room.
   *
   * @template {Contour} Shown
   * @param {Shown[]} contours
   * @param {number} ratio
   */
  function prepare(contours, ratio) {
    /** @type {Map<Shown, Spot>} */
    const spots = new Map();
    let [x, y, shelf] = [0, 0, 0];
    for (const contour of contours) {
      const { width, height } = sizeOf(contour.box);
      if (!suits(contour, width, height)) continue;
      if (x + width > ACROSS) [x, y, shelf] = [0, y + shelf, 0];
      if (width > ACROSS || y + height > MOST) continue;
      spots.set(contour, { x, y });
      x += width;
      shelf = Math.max(shelf, height);
    }
    if (!spots.size) return spots;
    if (canvas.width < ACROSS) canvas.width = ACROSS;
    if (canvas.height < y + shelf) canvas.height = y + shelf;
    for (const [contour, spot] of spots) context.putImageData(painted(contour, ratio), spot.x, spot.y);
    return spots;
  }

  /**
   * Draws what was prepared.
   *
   * @param {CanvasRenderingContext2D} onto
   * @param {Contour} contour
   * @param {Spot} spot
   */
  function draw(onto, { box }, { x, y }) {
    const { width, height } = sizeOf(box);
    onto.setTransform(1, 0, 0, 1, 0, 0);
    onto.imageSmoothingEnabled = false; // pixel for pixel
    onto.drawImage(canvas, x, y, width, height, box[0], box[1], width, height);
  }

  /**
   * @param {Contour} contour
   * @param {number} ratio
   */
  function painted({ outline, box, place, colour, opacity, style }, ratio) {
    const { width, height } = sizeOf(box);
    const count = width * height;
    if (pixels.length < count) {
      nearest = new Uint16Array(count);
      turns = new Uint8Array(count);
      pixels = new Uint32Array(count);
    }
    const { reach, inside, outside } = tones(colour, opacity, style, ratio);
    nearest.fill(inside.length - 1, 0, count);
    const field = { nearest, turns, width, height, reach };
    for (const loop of outline.loops) markLoop(field, loop, place.scale, place.x - box[0], place.y - box[1]);
    for (let row = 0, i = 0; row < height; row += 1) {
      let on = 0;
      for (const end = i + width; i < end; i += 1) {
        on ^= turns[i];
        turns[i] = 0;
        pixels[i] = on ? inside[nearest[i]] : outside[nearest[i]];
      }
    }
    return new ImageData(new Uint8ClampedArray(pixels.buffer, 0, 4 * count), width, height);
  }

  /**
   * @param {string} colour
   * @param {number} opacity
   * @param {Style} style
   * @param {number} ratio
   */
  function tones(colour, opacity, { casing, line }, ratio) {
    const key = `${colour} ${opacity} ${casing} ${line} ${ratio}`;
    const before = known.get(key);
    if (before) return before;
    if (known.size >= KEPT) known.clear();
    const values = valuesOf(colour);
    const lines = [
      { values: valuesOf(CASING), half: (casing / 2) * ratio },
      { values, half: (line / 2) * ratio },
    ];
    const filled = [...values.slice(0, 3), opacity * values[3]];
    const reach = lines[0].half + 0.5;
    const made = { reach, inside: coloursOf(filled, lines, reach), outside: coloursOf([0, 0, 0, 0], lines, reach) };
    known.set(key, made);
    return made;
  }

  return { prepare, draw };
}

/** @param {Box} box */
function sizeOf([x0, y0, x1, y1]) {
  return { width: x1 - x0, height: y1 - y0 };
}

/**
 * Whether a contour is painted faster here than by strokes.
 *
 * @param {Contour} contour
 * @param {number} width
 * @param {number} height
 */
function suits({ outline, place, style }, width, height) {
  return !style.dash && width * height < SPARSE * outline.length * place.scale;
}

/**
 * @param {Field} field
 * @param {number[]} loop
 * @param {number} scale
 * @param {number} x
 * @param {number} y
 */
function markLoop(field, loop, scale, x, y) {
  let ax = loop[loop.length - 2] * scale + x;
  let ay = loop[loop.length - 1] * scale + y;
  for (let i = 0; i < loop.length; i += 2) {
    const bx = loop[i] * scale + x;
    const by = loop[i + 1] * scale + y;
    markStretch(field, ax, ay, bx, by);
    ax = bx;
    ay = by;
  }
}

/**
 * Writes how far pixels are from the stretch between two points, where they are nearer than to those before it, and
 * where it turns rows on or off.
 *
 * @param {Field} field
 * @param {number} ax
 * @param {number} ay
 * @param {number} bx
 * @param {number} by
 */
function markStretch({ nearest, turns, width, height, reach }, ax, ay, bx, by) {
  const dx = bx - ax;
  const dy = by - ay;
  const square = dx * dx + dy * dy || 1;
  // Of each row what is near the endless line through both, and no farther out than the points.
  const slope = dy ? dx / dy : 0;
  const half = dy ? (reach * Math.sqrt(square)) / Math.abs(dy) : Infinity;
  const least = Math.min(ax, bx) - reach;
  const most = Math.max(ax, bx) + reach;
  const last = Math.min(Math.floor(Math.max(ay, by) + reach - 0.5), height - 1);
  for (let row = Math.max(Math.ceil(Math.min(ay, by) - reach - 0.5), 0); row <= last; row += 1) {
    const py = row + 0.5 - ay;
    const middle = ax + slope * py;
    const turn = Math.max(Math.ceil(middle - 0.5), 0);
    if (py < 0 !== py < dy && turn < width) turns[row * width + turn] ^= 1;
    const from = Math.max(Math.ceil(Math.max(least, middle - half) - 0.5), 0);
    const to = Math.min(Math.floor(Math.min(most, middle + half) - 0.5), width - 1);
    const start = row * width;
    for (let column = from; column <= to; column += 1) {
      const px = column + 0.5 - ax;
      const along = px * dx + py * dy;
      const across = px * dy - py * dx;
      let away = (across * across) / square; // squared
      if (along < 0) away = px * px + py * py;
      else if (along > square) away = (px - dx) * (px - dx) + (py - dy) * (py - dy);
      if (FINE * away < nearest[start + column]) nearest[start + column] = FINE * away;
    }
  }
}

/**
 * Lines over a ground, by the squared distance of a pixel's middle from the outline.
 *
 * @param {number[]} ground red, green, blue and alpha, each up to 255
 * @param {{ values: number[], half: number }[]} lines the lowest first; half: device pixels
 * @param {number} reach device pixels
 */
function coloursOf(ground, lines, reach) {
  const count = Math.ceil(reach * reach * FINE) + 1;
  const bytes = new Uint8ClampedArray(4 * count);
  for (let i = 0; i < count; i += 1) {
    const away = i < count - 1 ? Math.sqrt((i + 0.5) / FINE) : Infinity;
    const layers = lines.map(({ values, half }) => [...values.slice(0, 3), values[3] * covered(away, half)]);
    bytes.set(layers.reduce(over, ground), 4 * i);
  }
  return new Uint32Array(bytes.buffer);
}

/**
 * @param {number[]} below
 * @param {number[]} above
 */
function over(below, above) {
  const [share, rest] = [above[3], below[3] * (1 - above[3] / 255)];
  const alpha = share + rest;
  return [...[0, 1, 2].map((part) => (alpha ? (above[part] * share + below[part] * rest) / alpha : 0)), alpha];
}

/**
 * How much of a pixel whose middle is so far away a line covers.
 *
 * @param {number} away
 * @param {number} half
 */
function covered(away, half) {
  return Math.max(Math.min(away + 0.5, half) - Math.max(away - 0.5, -half), 0);
}

/**
 * Red, green, blue and alpha of any colour that CSS can say, each up to 255.
 *
 * @param {string} colour
 */
function valuesOf(colour) {
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data];
}
