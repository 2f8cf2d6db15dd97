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

// Headings along the edges of cells: east, south, west, north. "On" cells lie at the right hand.
const EAST = 0;

/**
 * The outlines of a grid as closed loops of image points [x0, y0, x1, y1, ...], along the edges of its cells, corners
 * only; outer loops run clockwise on the screen, holes the other way. Cells that touch at a corner belong together.
 */
export function outlines(grid) {
  const cells = framed(grid);
  const across = grid.width + 2;
  const seen = new Uint8Array(cells.length); // "on" cells whose upper edge a loop has used
  const loops = [];
  for (let at = cells.indexOf(1); at >= 0; at = cells[at + 1] ? at + 1 : cells.indexOf(1, at + 1)) {
    if (!cells[at - across] && !seen[at]) loops.push(follow(cells, across, seen, at, grid));
  }
  return loops;
}

/** The grid's cells with a frame of zeros, one cell wide, so that every cell has neighbours. */
function framed({ bits, width, height }) {
  const cells = new Uint8Array((width + 2) * (height + 2));
  for (let j = 0; j < height; j += 1) {
    cells.set(bits.slice(j * width, (j + 1) * width), (j + 1) * (width + 2) + 1);
  }
  return cells;
}

/** One loop, eastwards from the upper left corner of the framed cell `start`; a corner has the number of its cell. */
function follow(cells, across, seen, start, { x0, y0, step }) {
  const ahead = [1, across, -1, -across];
  const left = [-across, 0, -1, -across - 1]; // the cell ahead on the left, seen from a corner
  const right = [0, -1, -across - 1, -across];
  const points = [];
  let at = start;
  let heading = EAST;
  do {
    if (heading === EAST) seen[at] = 1;
    at += ahead[heading];
    if (!cells[at + left[heading]] && cells[at + right[heading]]) continue;
    points.push(x0 + ((at % across) - 1) * step, y0 + (Math.floor(at / across) - 1) * step);
    heading = (heading + (cells[at + left[heading]] ? 3 : 1)) % 4;
  } while (at !== start || heading !== EAST);
  return points;
}

/** How coarse a grid may be so that its cells are still no larger than a device pixel: a power of two. */
export function stepFor(deviceScale) {
  return deviceScale >= 1 ? 1 : 2 ** Math.floor(Math.log2(1 / deviceScale));
}
