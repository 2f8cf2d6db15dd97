// Where image points are on the screen, and back: pure functions, no DOM.
//
// Image coordinates are those of docs/decisions/0001: continuous, x right, y down, the pixel in row r and column c
// covers [c, c+1) x [r, r+1). Screen coordinates are CSS pixels from the stage's top left corner. A view {scale, x, y}
// maps image point p to screen point scale * p + (x, y); scale is in CSS pixels per image pixel. Boxes are half-open
// [x0, y0, x1, y1]. A device pixel is 1 / ratio CSS pixels.

/** @import { Size, View } from "./page.js" */
/** @import { Box, Point } from "./wire.js" */

export const MAX_DEVICE_SCALE = 64; // device pixels per image pixel: further in, a pixel fills the thumb's place
// CSS pixels; the tools stand at the left, the hint line below.
export const MARGINS = { left: 68, right: 16, top: 16, bottom: 58 };
const LEAST_SHARE = 0.25; // zoomed out, the image stays at least this share of its fitted size

/**
 * @param {View} view
 * @param {Point} point
 * @returns {Point}
 */
export function toScreen(view, [x, y]) {
  return [view.scale * x + view.x, view.scale * y + view.y];
}

/**
 * @param {View} view
 * @param {Point} point
 * @returns {Point}
 */
export function toImage(view, [x, y]) {
  return [(x - view.x) / view.scale, (y - view.y) / view.scale];
}

/**
 * The pixel (col, row) that an image point lies in.
 *
 * @param {Point} point
 * @returns {Point}
 */
export function pixelOf([x, y]) {
  return [Math.floor(x), Math.floor(y)];
}

/**
 * @param {Size} size
 * @param {Point} point
 */
export function isInside(size, [x, y]) {
  return x >= 0 && y >= 0 && x < size.width && y < size.height;
}

const NARROW_MARGINS = { left: 64, right: 4, top: 8, bottom: 72 };
const NARROW = 480; // CSS pixels

/**
 * The whole image in the middle of what the margins leave; small images are not blown up beyond 8x.
 *
 * @param {Size} size
 * @param {Size} viewport
 * @returns {View}
 */
export function fit(size, viewport, margins = viewport.width < NARROW ? NARROW_MARGINS : MARGINS) {
  const width = Math.max(viewport.width - margins.left - margins.right, 1);
  const height = Math.max(viewport.height - margins.top - margins.bottom, 1);
  const scale = Math.min(width / size.width, height / size.height, 8);
  return {
    scale,
    x: margins.left + (width - scale * size.width) / 2,
    y: margins.top + (height - scale * size.height) / 2,
  };
}

/**
 * One image pixel per device pixel, keeping the image point at `anchor` (screen) where it is.
 *
 * @param {View} view
 * @param {Point} anchor
 * @param {number} ratio
 * @returns {View}
 */
export function actualSize(view, anchor, ratio) {
  return zoomTo(view, 1 / ratio, anchor);
}

/**
 * Another scale, the image point under `anchor` (screen) stays under it.
 *
 * @param {View} view
 * @param {number} scale
 * @param {Point} anchor
 * @returns {View}
 */
export function zoomTo(view, scale, anchor) {
  const [x, y] = toImage(view, anchor);
  return { scale, x: anchor[0] - scale * x, y: anchor[1] - scale * y };
}

/**
 * @param {View} view
 * @param {number} factor
 * @param {Point} anchor
 * @returns {View}
 */
export function zoomBy(view, factor, anchor) {
  return zoomTo(view, view.scale * factor, anchor);
}

/**
 * @param {View} view
 * @param {number} dx
 * @param {number} dy
 * @returns {View}
 */
export function panBy(view, dx, dy) {
  return { scale: view.scale, x: view.x + dx, y: view.y + dy };
}

/**
 * The nearest view that is allowed: scale within limits, and the image can't be lost outside the viewport.
 *
 * @param {View} view
 * @param {Size} size
 * @param {Size} viewport
 * @param {number} ratio
 * @param {Point} [anchor]
 * @returns {View}
 */
export function limited(view, size, viewport, ratio, anchor) {
  const least = Math.min(fit(size, viewport).scale * LEAST_SHARE, 1 / ratio);
  const scale = Math.min(Math.max(view.scale, least), MAX_DEVICE_SCALE / ratio);
  const kept = scale === view.scale ? view : zoomTo(view, scale, anchor ?? [viewport.width / 2, viewport.height / 2]);
  return {
    scale,
    x: keepPart(kept.x, scale * size.width, viewport.width),
    y: keepPart(kept.y, scale * size.height, viewport.height),
  };
}

/**
 * An offset such that a quarter of the viewport, or of the image where that is smaller, stays covered.
 *
 * @param {number} offset
 * @param {number} length
 * @param {number} room
 */
function keepPart(offset, length, room) {
  const part = Math.min(length, room) / 4;
  return Math.min(Math.max(offset, part - length), room - part);
}

/**
 * The offset moved to a whole device pixel, so that enlarged image pixels have sharp edges.
 *
 * @param {View} view
 * @param {number} ratio
 * @returns {View}
 */
export function snapped(view, ratio) {
  return { scale: view.scale, x: Math.round(view.x * ratio) / ratio, y: Math.round(view.y * ratio) / ratio };
}

/**
 * The box of image pixels that the viewport shows, rounded outwards, or null when it shows none.
 *
 * @param {View} view
 * @param {Size} size
 * @param {Size} viewport
 * @returns {Box | null}
 */
export function visibleBox(view, size, viewport) {
  const [x0, y0] = toImage(view, [0, 0]);
  const [x1, y1] = toImage(view, [viewport.width, viewport.height]);
  return intersection([Math.floor(x0), Math.floor(y0), Math.ceil(x1), Math.ceil(y1)], [0, 0, size.width, size.height]);
}

/**
 * @param {Box} a
 * @param {Box} b
 * @returns {Box | null}
 */
export function intersection(a, b) {
  /** @type {Box} */
  const box = [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])];
  return box[0] < box[2] && box[1] < box[3] ? box : null;
}

/**
 * @param {Box} outer
 * @param {Box} inner
 */
export function contains(outer, inner) {
  return outer[0] <= inner[0] && outer[1] <= inner[1] && outer[2] >= inner[2] && outer[3] >= inner[3];
}

/**
 * A view in which the box fills most of the viewport: for "zoom to the object".
 *
 * @param {Box} box
 * @param {Size} viewport
 * @returns {View}
 */
export function zoomToBox(box, viewport, margin = 96) {
  const [width, height] = [box[2] - box[0], box[3] - box[1]];
  const room = [Math.max(viewport.width - 2 * margin, 64), Math.max(viewport.height - 2 * margin, 64)];
  const scale = Math.min(room[0] / width, room[1] / height, 8);
  return {
    scale,
    x: viewport.width / 2 - scale * (box[0] + width / 2),
    y: viewport.height / 2 - scale * (box[1] + height / 2),
  };
}

/**
 * @param {Point} a
 * @param {Point} b
 */
export function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}
