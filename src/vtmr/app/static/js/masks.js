// Masks as the server sends them, {box: [x0, y0, x1, y1], runs: [...]}: row-major run lengths inside the half-open box,
// zeros first. Pure functions, no DOM. An empty mask is null.

import { intersection } from "./geometry.js";

/** @import { Cells, Mask } from "./page.js" */
/** @import { Box, ImageDocument, Point, WireMask } from "./wire.js" */

/** @typedef {{ xs: number[], ys: number[], mates: number[], eastward: boolean[] }} Corners */
/** @typedef {{ turns: number[], tops: number[] }} Row Where a row turns on and off, and where those edges began. */

/**
 * Whether it isn't empty: then it is a mask of the page.
 *
 * @param {WireMask | null} mask
 * @returns {mask is Mask}
 */
export function hasPixels(mask) {
  return Boolean(mask?.box);
}

/**
 * Number of pixels that are on.
 *
 * @param {{ runs: number[] } | null | undefined} mask
 */
export function areaOf(mask) {
  let area = 0;
  if (mask) for (let i = 1; i < mask.runs.length; i += 2) area += mask.runs[i];
  return area;
}

/**
 * Whether the pixel (col, row) is on.
 *
 * @param {Mask | null | undefined} mask
 * @param {Point} pixel
 */
export function isOn(mask, [col, row]) {
  if (!mask) return false;
  const [x0, y0, x1, y1] = mask.box;
  if (col < x0 || row < y0 || col >= x1 || row >= y1) return false;
  let left = (row - y0) * (x1 - x0) + (col - x0);
  for (let i = 0; i < mask.runs.length; i += 1) {
    left -= mask.runs[i];
    if (left < 0) return i % 2 === 1;
  }
  return false;
}

/**
 * From a point to the nearest pixel that is on, in image pixels; 0 on the mask.
 *
 * @param {Mask} mask
 * @param {Point} point
 */
export function distanceToMask({ box: [x0, y0, x1], runs }, [x, y]) {
  const width = x1 - x0;
  let [position, least] = [0, Infinity]; // least: the square of the distance
  for (let i = 1; i < runs.length; i += 2) {
    position += runs[i - 1];
    const end = position + runs[i];
    while (position < end) {
      const row = Math.floor(position / width);
      const until = Math.min(end, (row + 1) * width); // a run goes on in the next row
      const [left, right] = [x0 + position - row * width, x0 + until - row * width];
      const dx = Math.max(left - x, x - right, 0);
      const dy = Math.max(y0 + row - y, y - (y0 + row + 1), 0);
      least = Math.min(least, dx * dx + dy * dy);
      position = until;
    }
  }
  return Math.sqrt(least);
}

const SAMPLES = 256; // cells across, of what is looked at of two masks
const LAYER_SHARE = 0.02; // of the smaller mask: borders that cross by a pixel aren't layers

/**
 * Whether objects of a document overlap clearly, as layers do and a map of labels doesn't.
 *
 * @param {ImageDocument} document
 * @param {Record<string, Mask | null>} masks
 */
export function areLayers(document, masks) {
  const shown = document.objects.map(({ id }) => masks[id] ?? null).filter(hasPixels);
  return shown.some((mask, i) => shown.slice(i + 1).some((other) => overlap(mask, other)));
}

/**
 * Whether two masks share more than a sliver, by a sample of their pixels.
 *
 * @param {Mask} one
 * @param {Mask} other
 */
function overlap(one, other) {
  const box = intersection(one.box, other.box);
  if (!box) return false;
  const step = Math.max(1, Math.ceil(Math.max(box[2] - box[0], box[3] - box[1]) / SAMPLES));
  const shared = sharedCells(cellsOf(one, box, step), cellsOf(other, box, step));
  return shared * step * step > LAYER_SHARE * Math.min(areaOf(one), areaOf(other));
}

/**
 * How many pixels `after` has that `before` hasn't, and the other way round: {added, taken}. Either may be null.
 *
 * @param {Mask | null} before
 * @param {Mask | null} after
 */
export function changeOf(before, after) {
  const box = before && after ? intersection(before.box, after.box) : null;
  const shared = before && after && box ? sharedCells(cellsOf(before, box, 1), cellsOf(after, box, 1)) : 0;
  return { added: areaOf(after) - shared, taken: areaOf(before) - shared };
}

/**
 * @param {Cells} one
 * @param {Cells} other
 */
function sharedCells({ spans: a }, { spans: b }) {
  let [i, j, shared] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) shared += Math.max(0, Math.min(a[i + 2], b[j + 2]) - Math.max(a[i + 1], b[j + 1]));
    const aFirst = a[i] < b[j] || (a[i] === b[j] && a[i + 2] <= b[j + 2]);
    if (aFirst) i += 3;
    else j += 3;
  }
  return shared;
}

/**
 * The part of a mask inside `region` as cells of `step` x `step` pixels, of which the middle pixel decides:
 * {x0, y0, step, width, height, spans}. Cell (i, j) begins at image pixel (x0 + i * step, y0 + j * step). `spans` are
 * the runs of cells that are on, three numbers each (row, first column, column after the last), in reading order; two
 * of a row never touch.
 *
 * @param {Mask} mask
 * @param {Box} region
 * @param {number} step
 * @returns {Cells}
 */
export function cellsOf(mask, region, step) {
  const [x0, y0] = [region[0], region[1]];
  const width = Math.max(Math.ceil((region[2] - x0) / step), 0);
  const height = Math.max(Math.ceil((region[3] - y0) / step), 0);
  /** @type {Cells} */
  const cells = { x0, y0, step, width, height, spans: [] };
  let position = 0;
  for (let i = 1; i < mask.runs.length; i += 2) {
    position += mask.runs[i - 1];
    addRun(cells, mask.box, position, mask.runs[i]);
    position += mask.runs[i];
  }
  return cells;
}

/**
 * Adds the cells whose middle pixels a run of `length` pixels from `position` (row-major in the mask's box) covers.
 *
 * @param {Cells} cells
 * @param {Box} box
 * @param {number} position
 * @param {number} length
 */
function addRun({ x0, y0, step, width, height, spans }, [mx0, my0, mx1], position, length) {
  const across = mx1 - mx0;
  const middle = step >> 1;
  const end = position + length;
  for (let row = Math.floor(position / across); row * across < end; row += 1) {
    const down = my0 + row - y0 - middle;
    if (down < 0 || down % step) continue;
    const j = down / step;
    if (j >= height) return;
    const from = mx0 + Math.max(position - row * across, 0) - x0 - middle;
    const to = mx0 + Math.min(end - row * across, across) - x0 - middle;
    const first = Math.max(Math.ceil(from / step), 0);
    const after = Math.min(Math.ceil(to / step), width);
    if (first >= after) continue;
    if (spans.at(-1) === first && spans.at(-3) === j) spans[spans.length - 1] = after;
    else spans.push(j, first, after);
  }
}

/**
 * The outlines of cells as closed loops of image points [x0, y0, x1, y1, ...], along the edges of the cells, corners
 * only; outer loops run clockwise on the screen, holes the other way. Cells that touch at a corner belong together.
 *
 * @param {Cells} cells
 */
export function outlines(cells) {
  const { xs, ys, mates, eastward } = cornersOf(cells);
  const used = new Uint8Array(eastward.length);
  const loops = [];
  for (let edge = 0; edge < eastward.length; edge += 1) {
    if (used[edge]) continue;
    const start = eastward[edge] ? 2 * edge : 2 * edge + 1;
    const loop = [];
    let at = start;
    do {
      used[at >> 1] = 1;
      loop.push(xs[at], ys[at], xs[at ^ 1], ys[at ^ 1]); // along a level edge,
      at = mates[at ^ 1]; // then along an upright one
    } while (at !== start);
    loops.push(loop);
  }
  return loops;
}

/**
 * The corners of the outlines, line by line from left to right: corners 2n and 2n + 1 are the ends of level edge n,
 * `mates` has the other end of each corner's upright edge. eastward: the cells below a level edge are on, so that it
 * runs east with them at its right hand.
 *
 * @param {Cells} cells
 * @returns {Corners}
 */
function cornersOf({ x0, y0, step, height, spans }) {
  /** @type {Corners} */
  const corners = { xs: [], ys: [], mates: [], eastward: [] };
  /** @type {Row} */
  let above = { turns: [], tops: [] };
  let read = 0;
  for (let j = 0; j <= height; j += 1) {
    /** @type {Row} */
    const below = { turns: [], tops: [] };
    for (; spans[read] === j; read += 3) below.turns.push(spans[read + 1], spans[read + 2]);
    addLine(corners, above, below, x0, y0 + j * step, step);
    above = below;
  }
  return corners;
}

/**
 * Adds the corners on the line between two rows: where one of them turns on or off and the other doesn't alike.
 *
 * @param {Corners} corners
 * @param {Row} above
 * @param {Row} below
 * @param {number} x0
 * @param {number} y
 * @param {number} step
 */
function addLine({ xs, ys, mates, eastward }, above, below, x0, y, step) {
  let [a, b] = [0, 0];
  while (a < above.turns.length || b < below.turns.length) {
    const [upper, lower] = [above.turns[a] ?? Infinity, below.turns[b] ?? Infinity];
    if (upper === lower && a % 2 === b % 2) {
      below.tops[b] = above.tops[a]; // the upright edge goes on
      a += 1;
      b += 1;
      continue;
    }
    // Where two cells meet at a corner, the edge that turns on comes first: so their outlines become one.
    const endsHere = upper < lower || (upper === lower && a % 2 === 0);
    const corner = xs.push(x0 + (endsHere ? upper : lower) * step) - 1;
    ys.push(y);
    if (corner % 2 === 0) eastward.push(endsHere ? a % 2 === 1 : b % 2 === 0);
    if (endsHere) {
      mates[corner] = above.tops[a];
      mates[above.tops[a]] = corner;
      a += 1;
    } else {
      mates[corner] = -1; // until that edge ends
      below.tops[b] = corner;
      b += 1;
    }
  }
}

// Points of a loop that are looked at together: a winding one of hundreds of thousands would be gone through dozens of
// times, and a point kept here and there costs nothing.
const STRETCH = 256;

/**
 * A loop without the points that lie within `tolerance` of the line between those kept (Douglas and Peucker): stairs
 * become slopes, and drawing costs a fraction.
 *
 * @param {number[]} loop
 * @param {number} tolerance
 */
export function simplified(loop, tolerance) {
  const count = loop.length / 2;
  if (count <= 4) return loop; // a single cell has to stay one
  const kept = new Uint8Array(count + 1);
  /** @type {number[]} */
  const open = []; // stretches still to be looked at; point `count` is the first one again
  for (let first = 0; first < count; first += STRETCH) {
    kept[first] = 1;
    open.push(first, Math.min(first + STRETCH, count));
  }
  for (;;) {
    const [last, first] = [open.pop(), open.pop()];
    if (first === undefined || last === undefined) break;
    const farthest = farthestFrom(loop, first, last, tolerance);
    if (farthest < 0) continue;
    kept[farthest] = 1;
    open.push(first, farthest, farthest, last);
  }
  return loop.filter((_, i) => kept[i >> 1]);
}

/**
 * Of the points between `first` and `last` the one farthest from the stretch between those two; -1: all are near.
 *
 * @param {number[]} loop
 * @param {number} first
 * @param {number} last
 * @param {number} tolerance
 */
function farthestFrom(loop, first, last, tolerance) {
  const end = (2 * last) % loop.length;
  const [x, y] = [loop[2 * first], loop[2 * first + 1]];
  const [dx, dy] = [loop[end] - x, loop[end + 1] - y];
  const square = dx * dx + dy * dy || 1;
  let found = -1;
  let most = tolerance * tolerance;
  for (let i = first + 1; i < last; i += 1) {
    const [px, py] = [loop[2 * i] - x, loop[2 * i + 1] - y];
    const along = Math.min(Math.max((px * dx + py * dy) / square, 0), 1);
    const away = (px - along * dx) ** 2 + (py - along * dy) ** 2;
    if (away <= most) continue;
    most = away;
    found = i;
  }
  return found;
}

/**
 * How coarse a grid may be so that its cells are still no larger than a device pixel: a power of two.
 *
 * @param {number} deviceScale
 */
export function stepFor(deviceScale) {
  return deviceScale >= 1 ? 1 : 2 ** Math.floor(Math.log2(1 / deviceScale));
}
