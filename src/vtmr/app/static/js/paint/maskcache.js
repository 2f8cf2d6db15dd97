// Pictures of masks, made once and kept as long as the mask lives and the view can use them.

import { contains, intersection } from "../geometry.js";
import { outlines, rasterise, stepFor } from "../masks.js";
import { channels } from "../palette.js";

const WHOLE = 3e6; // cells up to which a mask is drawn whole; larger ones only where they can be seen

const pictures = new WeakMap(); // mask → {region, step, colour, canvas, outline}

/**
 * A mask's picture for a view: {canvas, x0, y0, step, outline}. The canvas has one pixel per `step` x `step` image
 * pixels, the first at (x0, y0); the outline is a Path2D in image coordinates. Null where nothing is visible.
 */
export function pictureOf(mask, colour, visible, deviceScale) {
  const step = stepFor(deviceScale);
  const seen = intersection(mask.box, visible);
  if (!seen) return null;
  const known = pictures.get(mask);
  if (known && known.step === step && known.colour === colour && contains(known.region, seen)) return known;
  const picture = draw(mask, regionFor(mask, seen, step), step, colour);
  pictures.set(mask, picture);
  return picture;
}

/** The whole mask, or what is visible of it and half as much again on each side; its corner lies on the lattice. */
function regionFor(mask, seen, step) {
  const [x0, y0, x1, y1] = mask.box;
  if ((x1 - x0) * (y1 - y0) <= WHOLE * step * step) return aligned(mask.box, step);
  const [dx, dy] = [(seen[2] - seen[0]) >> 1, (seen[3] - seen[1]) >> 1];
  return aligned(intersection([seen[0] - dx, seen[1] - dy, seen[2] + dx, seen[3] + dy], mask.box), step);
}

function aligned([x0, y0, x1, y1], step) {
  return [Math.floor(x0 / step) * step, Math.floor(y0 / step) * step, x1, y1];
}

function draw(mask, region, step, colour) {
  const grid = rasterise(mask, region, step);
  const canvas = new OffscreenCanvas(grid.width, grid.height);
  canvas.getContext("2d").putImageData(new ImageData(coloured(grid, colour), grid.width, grid.height), 0, 0);
  return { region, step, colour, canvas, x0: grid.x0, y0: grid.y0, outline: pathOf(outlines(grid)) };
}

function coloured({ bits }, colour) {
  const [r, g, b] = channels(colour);
  const word = new Uint32Array(new Uint8Array([r, g, b, 255]).buffer)[0];
  const pixels = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i += 1) if (bits[i]) pixels[i] = word;
  return new Uint8ClampedArray(pixels.buffer);
}

function pathOf(loops) {
  const path = new Path2D();
  for (const loop of loops) {
    path.moveTo(loop[0], loop[1]);
    for (let i = 2; i < loop.length; i += 2) path.lineTo(loop[i], loop[i + 1]);
    path.closePath();
  }
  return path;
}
