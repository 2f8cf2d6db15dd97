// What a click would do, by where it lands and what is selected: a pure function, so that hover can tell it beforehand.

import { pixelOf } from "./geometry.js";
import { areaOf, distanceToMask, isOn } from "./masks.js";
import { numberOf } from "./palette.js";
import { objectOf } from "./store.js";

/** @import { Intent, State } from "./page.js" */
/** @import { Point } from "./wire.js" */

// How far from the selected mask, as measured in docs/decisions/0022-second-object.md. Another object is meant beyond
// all of these: of the photo's longer side, of the mask's size, and CSS pixels.
const FAR = { share: 0.1, ofMask: 0.7, least: 48 };
const NEAR = { share: 0.03, ofMask: 0, least: 0 }; // nearer, the selected one is meant

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
 * Whether a point lies further from the selected mask than that.
 *
 * @param {State} state
 * @param {Point} point
 * @param {{ share: number, ofMask: number, least: number }} than
 */
function isBeyond({ document, selected, masks, view }, point, { share, ofMask, least }) {
  const mask = selected && masks[selected];
  if (!document || !mask) return false;
  const side = Math.sqrt(areaOf(mask)); // of a square as large
  const far = Math.max(share * Math.max(document.width, document.height), ofMask * side, least / view.scale);
  return distanceToMask(mask, point) > far;
}

/**
 * Whether it is so far away that a click there begins another object.
 *
 * @param {State} state
 * @param {Point} point
 */
export function isFar(state, point) {
  return isBeyond(state, point, FAR);
}

/**
 * Whether the place of a positive click says too little: it may be for the selected object or for another one.
 *
 * @param {State} state
 * @param {Point} point
 */
export function isDoubtful(state, point) {
  return state.farClicks && isBeyond(state, point, NEAR);
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
  const { selected, fresh, farClicks, overlay } = state;
  if (!positive) return { does: selected || coming ? "take" : "nothing", object: selected };
  if (coming && !selected) return { does: "add", object: null };
  if (selected && !(farClicks && isFar(state, point))) return { does: "add", object: selected };
  const hit = fresh || !overlay ? null : objectAt(state, point); // what can't be seen isn't meant
  if (hit && hit.id !== selected) return { does: "select", object: hit.id };
  return { does: hit ? "add" : "new", object: hit ? selected : null };
}

/**
 * What is written beside the pointer; null where a click does what the hint line says anyhow.
 *
 * @param {State} state
 * @param {Intent} intent
 * @param {Point} point
 */
export function tagOf(state, { does, object }, point) {
  if (does === "select") return `Select ${objectOf(state, object)?.label || "this object"}`;
  if (!state.selected) return null;
  if (does === "new") return "New object";
  return does === "add" && isDoubtful(state, point) ? `Part of object ${numberOf({ id: state.selected })}` : null;
}
