// What a click would do, by where it lands and what is selected: a pure function, so that hover can tell it beforehand.

import { distanceToBox, pixelOf } from "./geometry.js";
import { isOn } from "./masks.js";
import { objectOf } from "./store.js";

/** @import { Intent, Mask, State } from "./page.js" */
/** @import { Point } from "./wire.js" */

const CROP_RATIO = 1.4; // the target crop's side, of the mask's box: what the network looks at around an object
const FAR_RATIO = 0.5; // of the crop's size: so far outside of it another object is meant
const LEAST_FAR_PX = 48; // CSS pixels: what is nearer on the screen is never far

/**
 * The uppermost visible object at an image point, or null.
 *
 * @param {State} state
 * @param {Point} point
 */
export function objectAt({ document, masks }, point) {
  const pixel = pixelOf(point);
  return document?.objects.findLast((object) => object.visible && isOn(masks[object.id], pixel)) ?? null;
}

/**
 * Whether a point lies far outside the crop around a mask. scale: CSS pixels per image pixel.
 *
 * @param {Mask | null | undefined} mask
 * @param {Point} point
 * @param {number} scale
 */
export function isFar(mask, point, scale) {
  if (!mask?.box) return false;
  const [x0, y0, x1, y1] = mask.box;
  // Of a square as large: a mast's height says little of what is beside it.
  const size = Math.sqrt((x1 - x0) * (y1 - y0));
  const beyondBox = size * ((CROP_RATIO - 1) / 2 + CROP_RATIO * FAR_RATIO);
  return distanceToBox(mask.box, point) > Math.max(beyondBox, LEAST_FAR_PX / scale);
}

/**
 * {does, object}: "add" to or "take" from the selected object, begin a "new" one, "select" `object`, or "nothing".
 *
 * coming: a click on its way is about to make the object that the next one goes to.
 *
 * @param {State} state
 * @param {Point} point
 * @param {boolean} positive
 * @returns {Intent}
 */
export function intentOf(state, point, positive, coming = false) {
  const { selected, masks, fresh, farClicks, overlay, view } = state;
  if (!positive) return { does: selected || coming ? "take" : "nothing", object: selected };
  if (coming && !selected) return { does: "add", object: null };
  if (selected && !(farClicks && isFar(masks[selected], point, view.scale))) return { does: "add", object: selected };
  const hit = fresh || !overlay ? null : objectAt(state, point); // what can't be seen isn't meant
  if (hit && hit.id !== selected) return { does: "select", object: hit.id };
  return { does: hit ? "add" : "new", object: hit ? selected : null };
}

/**
 * What is written beside the pointer; null where a click does what the hint line says anyhow.
 *
 * @param {State} state
 * @param {Intent} intent
 */
export function tagOf(state, { does, object }) {
  if (does === "select") return `Select ${objectOf(state, object)?.label || "this object"}`;
  return does === "new" && state.selected ? "New object" : null;
}
