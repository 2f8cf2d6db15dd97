// Which tiles of an image's pyramid a view needs: pure functions, no DOM.
//
// Level 0 is native, every level halves the one before; a tile is `tile` x `tile` pixels of its level, the last ones
// of a row or column are cut.

/** @import { Size, Tile } from "./page.js" */
/** @import { Box } from "./wire.js" */

/**
 * The coarsest level that still has a pixel for each device pixel, at most `levels - 1`.
 *
 * @param {number} deviceScale
 * @param {number} levels
 */
export function levelFor(deviceScale, levels) {
  const level = Math.floor(Math.log2(1 / Math.min(deviceScale, 1)) + 1e-6);
  return Math.min(level, levels - 1);
}

/**
 * The tiles {level, col, row, box} of a level that touch `box` (image pixels); a tile's box is in image pixels.
 *
 * @param {Box} box
 * @param {number} level
 * @param {number} tile
 * @param {Size} size
 * @returns {Tile[]}
 */
export function tilesIn(box, level, tile, size) {
  const side = tile * 2 ** level;
  /** @type {Tile[]} */
  const tiles = [];
  for (let row = Math.floor(box[1] / side); row * side < box[3]; row += 1) {
    for (let col = Math.floor(box[0] / side); col * side < box[2]; col += 1) {
      const [x0, y0] = [col * side, row * side];
      tiles.push({ level, col, row, box: [x0, y0, Math.min(x0 + side, size.width), Math.min(y0 + side, size.height)] });
    }
  }
  return tiles;
}

/** @param {Tile} tile */
export function keyOf({ level, col, row }) {
  return `${level}/${col}/${row}`;
}
