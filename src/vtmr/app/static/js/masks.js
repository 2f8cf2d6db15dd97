// Masks as the server sends them, {box: [x0, y0, x1, y1], runs: [...]}: row-major run lengths inside the half-open box,
// zeros first. Pure functions, no DOM. An empty mask is null.

/** Number of pixels that are on. */
export function areaOf(mask) {
  let area = 0;
  if (mask) for (let i = 1; i < mask.runs.length; i += 2) area += mask.runs[i];
  return area;
}

/** Whether the pixel (col, row) is on. */
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
 * The part of a mask inside `region` as a grid of 0 and 1, one cell per `step` x `step` pixels (the cell's middle pixel
 * decides): {x0, y0, step, width, height, bits}. Cell (i, j) begins at image pixel (x0 + i * step, y0 + j * step).
 */
export function rasterise(mask, region, step) {
  const [x0, y0] = [region[0], region[1]];
  const width = Math.max(Math.ceil((region[2] - x0) / step), 0);
  const height = Math.max(Math.ceil((region[3] - y0) / step), 0);
  const grid = { x0, y0, step, width, height, bits: new Uint8Array(width * height) };
  const [mx0, my0, mx1] = mask.box;
  const across = mx1 - mx0;
  const middle = step >> 1;
  let position = 0;
  mask.runs.forEach((length, i) => {
    if (i % 2 === 1) fillRun(grid, mx0, my0, across, position, length, middle);
    position += length;
  });
  return grid;
}

/** Sets the cells whose middle pixels a run of `length` pixels from `position` (row-major in the mask's box) covers. */
function fillRun(grid, mx0, my0, across, position, length, middle) {
  const { x0, y0, step, width, height, bits } = grid;
  const end = position + length;
  for (let row = Math.floor(position / across); row * across < end; row += 1) {
    const down = my0 + row - y0 - middle;
    if (down < 0 || down % step) continue;
    const j = down / step;
    if (j >= height) return;
    const from = mx0 + Math.max(position - row * across, 0) - x0 - middle;
    const to = mx0 + Math.min(end - row * across, across) - x0 - middle;
    const first = Math.max(Math.ceil(from / step), 0);
    const last = Math.min(Math.ceil(to / step), width);
    if (first < last) bits.fill(1, j * width + first, j * width + last);
  }
}

const EAST = 0;
const SOUTH = 1;
const WEST = 2;
const NORTH = 3;

/**
 * The outlines of a grid as closed loops of image points [x0, y0, x1, y1, ...], along the edges of its cells, corners
 * only; outer loops run clockwise on the screen, holes the other way.
 */
export function outlines(grid) {
  const { bits, width, height } = grid;
  const seen = new Uint8Array(width * height); // upper edges of "on" cells that a loop has used
  const loops = [];
  for (let j = 0; j < height; j += 1) {
    for (let i = 0; i < width; i += 1) {
      const at = j * width + i;
      if (bits[at] && !seen[at] && !(j > 0 && bits[at - width])) loops.push(follow(grid, seen, i, j));
    }
  }
  return loops;
}

/** One loop, from the upper edge of cell (i, j) eastwards; "on" cells are at the right hand. */
function follow({ bits, width, height, x0, y0, step }, seen, i, j) {
  const on = (col, row) => col >= 0 && row >= 0 && col < width && row < height && bits[row * width + col] === 1;
  const points = [];
  let [x, y, heading] = [i, j, EAST];
  do {
    if (heading === EAST) seen[y * width + x] = 1;
    x += heading === EAST ? 1 : heading === WEST ? -1 : 0;
    y += heading === SOUTH ? 1 : heading === NORTH ? -1 : 0;
    const next = turned(on, x, y, heading);
    if (next !== heading) points.push(x0 + x * step, y0 + y * step);
    heading = next;
  } while (x !== i || y !== j || heading !== EAST);
  return points;
}

/** The heading after corner (x, y): left where the cell ahead on the left is on (8-connected), else on, else right. */
function turned(on, x, y, heading) {
  const northEast = on(x, y - 1);
  const northWest = on(x - 1, y - 1);
  const southEast = on(x, y);
  const southWest = on(x - 1, y);
  const [aheadLeft, aheadRight] = [
    [northEast, southEast],
    [southEast, southWest],
    [southWest, northWest],
    [northWest, northEast],
  ][heading];
  if (aheadLeft) return (heading + 3) % 4;
  return aheadRight ? heading : (heading + 1) % 4;
}

/** How coarse a grid may be so that its cells are still no larger than a device pixel: a power of two. */
export function stepFor(deviceScale) {
  return deviceScale >= 1 ? 1 : 2 ** Math.floor(Math.log2(1 / deviceScale));
}
