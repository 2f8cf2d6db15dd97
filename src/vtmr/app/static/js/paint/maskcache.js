// Outlines of masks as paths, traced once and kept as long as the mask lives and the view can use them.

import { contains, intersection } from "../geometry.js";
import { cellsOf, outlines, simplified, stepFor } from "../masks.js";

/** @import { Mask } from "../page.js" */
/** @import { Box } from "../wire.js" */

const WHOLE = 3e6; // cells up to which a mask is traced whole; larger ones only where they can be seen
const LARGE = 2; // device pixels from which on a cell's edges count each for itself
const NEAR = 0.75; // cells: how far an outline may be from the edges of smaller ones; stairs stay within that

/** @typedef {{ loops: number[][], length: number, path: Path2D }} Outline Closed loops [x0, y0, x1, y1, ...]. */

/** @type {WeakMap<Mask, { region: Box, step: number, exact: boolean, outline: Outline }>} */
const known = new WeakMap();

/**
 * A mask's outline for a view, in image coordinates along the edges of cells of so many pixels that each is about a
 * device pixel, or near them where cells are small: to be filled and stroked. Null where nothing is visible.
 *
 * @param {Mask} mask
 * @param {Box} visible
 * @param {number} deviceScale
 */
export function outlineOf(mask, visible, deviceScale) {
  const step = stepFor(deviceScale);
  const seen = intersection(mask.box, visible);
  if (!seen) return null;
  const exact = deviceScale * step >= LARGE;
  const before = known.get(mask);
  if (before?.step === step && before.exact === exact && contains(before.region, seen)) return before.outline;
  const region = regionFor(mask, seen, step);
  const loops = traced(mask, region, step, exact);
  const outline = { loops, length: lengthOf(loops), path: pathOf(loops) };
  known.set(mask, { region, step, exact, outline });
  return outline;
}

/**
 * The outline of a mask inside `region`, in cells of `step` pixels.
 *
 * @param {Mask} mask
 * @param {Box} region
 * @param {number} step
 */
export function tracedPath(mask, region, step) {
  return pathOf(traced(mask, region, step, false));
}

/**
 * @param {Mask} mask
 * @param {Box} region
 * @param {number} step
 * @param {boolean} exact
 */
function traced(mask, region, step, exact) {
  const loops = outlines(cellsOf(mask, region, step));
  return exact ? loops : loops.map((loop) => simplified(loop, NEAR * step));
}

/** @param {number[][]} loops */
function pathOf(loops) {
  const path = new Path2D();
  for (const loop of loops) {
    path.moveTo(loop[0], loop[1]);
    for (let i = 2; i < loop.length; i += 2) path.lineTo(loop[i], loop[i + 1]);
    path.closePath();
  }
  return path;
}

/**
 * In image pixels.
 *
 * @param {number[][]} loops
 */
function lengthOf(loops) {
  let length = 0;
  for (const loop of loops) {
    let [x, y] = loop.slice(-2);
    for (let i = 0; i < loop.length; i += 2) {
      length += Math.hypot(loop[i] - x, loop[i + 1] - y);
      [x, y] = [loop[i], loop[i + 1]];
    }
  }
  return length;
}

/**
 * The whole mask, or what is visible of it and half as much again on each side; its corner lies on the lattice.
 *
 * @param {Mask} mask
 * @param {Box} seen
 * @param {number} step
 */
function regionFor(mask, seen, step) {
  const [x0, y0, x1, y1] = mask.box;
  if ((x1 - x0) * (y1 - y0) <= WHOLE * step * step) return aligned(mask.box, step);
  const [dx, dy] = [(seen[2] - seen[0]) >> 1, (seen[3] - seen[1]) >> 1];
  const around = intersection([seen[0] - dx, seen[1] - dy, seen[2] + dx, seen[3] + dy], mask.box);
  return aligned(around ?? seen, step);
}

/**
 * @param {Box} box
 * @param {number} step
 * @returns {Box}
 */
function aligned([x0, y0, x1, y1], step) {
  return [Math.floor(x0 / step) * step, Math.floor(y0 / step) * step, x1, y1];
}
