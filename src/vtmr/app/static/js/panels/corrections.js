// The two ways of correcting side by side: only the part that a click touches, or the network's whole answer. Where the
// pointer rests, each shows what it would make.

import { byId, drawingOn, inside } from "../dom.js";
import { changeOf } from "../masks.js";
import { tracedPath } from "../paint/maskcache.js";
import { canEdit, correctsHere, selectedObject } from "../store.js";

/** @import { Mask, Page, State } from "../page.js" */
/** @import { Box } from "../wire.js" */

const TOOLS = new Set(["click", "box"]);
/** @typedef {"here" | "refit"} Way */

/** @type {Way[]} */
const WAYS = ["here", "refit"];
const MARGIN = 0.1; // of what is shown, around the masks
const [ADDED, TAKEN, KEPT] = ["#22c55e", "#f0443a", "#8b94a5"];

/** @param {Page} page */
export function corrections({ store, editor }) {
  for (const way of WAYS) {
    byId(`way-${way}`).addEventListener("click", () => {
      editor.correct(way);
      byId("stage").focus();
    });
  }
  /** @type {(keyof State)[]} */
  const keys = ["tool", "document", "selected", "keepRest", "refit", "connection", "picking"];
  store.watch(keys, (state) => {
    const object = selectedObject(state);
    byId("ways").hidden =
      !object || object.locked || !TOOLS.has(state.tool) || Boolean(state.picking) || !canEdit(state);
    const chosen = correctsHere(state) ? "here" : "refit";
    for (const way of WAYS) byId(`way-${way}`).ariaPressed = String(way === chosen);
  });
  store.watch(["either"], ({ either, masks, selected }) => {
    const before = (selected && masks[selected]) || null;
    for (const way of WAYS) show(byId(`way-${way}`), before, either, way);
  });
}

/**
 * @param {HTMLElement} button
 * @param {Mask | null} before
 * @param {State["either"]} either
 * @param {Way} way
 */
function show(button, before, either, way) {
  const canvas = inside(button, "canvas", HTMLCanvasElement);
  canvas.hidden = !either;
  inside(button, "small").textContent = either ? told(changeOf(before, either[way])) : "";
  const box = either && around([before, either.here, either.refit]);
  if (box) paint(canvas, box, before, either[way]);
}

/**
 * In words, so that colour alone never carries the meaning.
 *
 * @param {{ added: number, taken: number }} change
 */
function told({ added, taken }) {
  if (!added && !taken) return "no change";
  const signed = [added && `+${added.toLocaleString("en")}`, taken && `−${taken.toLocaleString("en")}`];
  return `${signed.filter(Boolean).join(" ")} px`;
}

/**
 * The box around all of the masks; null where all are empty.
 *
 * @param {(Mask | null)[]} masks
 * @returns {Box | null}
 */
function around(masks) {
  const boxes = masks.flatMap((mask) => (mask ? [mask.box] : []));
  if (!boxes.length) return null;
  /**
   * @param {number} index
   * @param {(...values: number[]) => number} pick
   */
  const side = (index, pick) => pick(...boxes.map((box) => box[index]));
  return [side(0, Math.min), side(1, Math.min), side(2, Math.max), side(3, Math.max)];
}

/**
 * Grey stays, green comes, red goes.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Box} box
 * @param {Mask | null} before
 * @param {Mask | null} after
 */
function paint(canvas, [x0, y0, x1, y1], before, after) {
  const context = drawingOn(canvas);
  const [width, height] = [(x1 - x0) * (1 + 2 * MARGIN), (y1 - y0) * (1 + 2 * MARGIN)];
  const scale = Math.min(canvas.width / width, canvas.height / height);
  const step = Math.max(1, Math.floor(1 / scale));
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(scale, 0, 0, scale, canvas.width / 2, canvas.height / 2);
  context.translate(-(x0 + x1) / 2, -(y0 + y1) / 2);
  /** @param {Mask | null} mask */
  const path = (mask) => (mask ? tracedPath(mask, mask.box, step) : new Path2D());
  const [old, fresh] = [path(before), path(after)];
  fill(context, old, TAKEN);
  fill(context, fresh, ADDED);
  context.save();
  context.clip(fresh);
  fill(context, old, KEPT);
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Path2D} path
 * @param {string} colour
 */
function fill(context, path, colour) {
  context.fillStyle = colour;
  context.fill(path);
}
