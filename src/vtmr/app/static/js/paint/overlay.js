// What lies over the photo: masks, clicks, strokes, cursors. All of it is drawn from the state, nothing is kept here
// but the masks' pixels.

import { clicksNow } from "../clicks.js";
import { toScreen } from "../geometry.js";
import { tagOf } from "../intent.js";
import { CASING, colourOfObject, labelColour } from "../palette.js";
import { objectOf, selectedObject } from "../store.js";
import { paintDrawn, paintPrompt } from "./drawn.js";

/** @import { Intent, State, WithImage } from "../page.js" */
/** @import { AnnotatedObject, Click, Point } from "../wire.js" */
/** @import { Look, MaskLayer, Style } from "./masklayer.js" */
/** @import { StrokeLayer } from "./strokelayer.js" */

const POSITIVE = "#22c55e";
const NEGATIVE = "#f0443a";
const STROKES = new Set(["brush", "eraser", "scribble"]);
export const CLICK_RADIUS = 7; // CSS pixels

/** @typedef {Click & { selected?: boolean, waiting?: boolean }} ShownClick */

/**
 * masks, strokes: what keeps the masks and long strokes as they were painted last (masklayer.js, strokelayer.js).
 *
 * @param {CanvasRenderingContext2D} context
 * @param {State} state
 * @param {MaskLayer} masks
 * @param {StrokeLayer} strokes
 */
export function paintOverlay(context, state, masks, strokes) {
  const { viewport, view } = state;
  const { ratio } = viewport;
  const { width, height } = context.canvas;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  if (!hasImage(state) || !width || !height) return;
  if (state.overlay) masks.paint(context, state, looksOf(state));
  strokes.paint(context, state, colourOfNext(selectedObject(state), state));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const prompt = selectedObject(state)?.prompt;
  if (state.overlay && prompt) paintPrompt(context, view, prompt);
  if (state.overlay) paintClicks(context, state);
  for (const { drawn } of state.waiting) if (drawn) paintDrawn(context, state, drawn, true);
  if (state.drawn) paintDrawn(context, state, state.drawn);
  paintCursor(context, state);
  if (state.overlay && state.intent && state.pointer) paintTag(context, state, state.intent, state.pointer);
}

/**
 * @param {State} state
 * @returns {state is WithImage}
 */
function hasImage(state) {
  return state.document !== null;
}

/**
 * How masks are drawn, the lowest first, and the preview over all of them.
 *
 * @param {State} state
 * @returns {Look[]}
 */
function looksOf(state) {
  const { document, masks, lit, preview, opacity } = state;
  /** @type {Look[]} */
  const looks = [];
  for (const object of document?.objects ?? []) {
    const mask = masks[object.id];
    if (!object.visible || !mask) continue;
    const { id } = object;
    const replaced = preview && id === preview.object;
    const shown = replaced ? opacity * 0.3 : id === lit ? litOpacity(state) : opacity;
    const colour = colourOfObject(object, state);
    looks.push({ id, mask, colour, opacity: shown, style: styleOf(object, state), by: movedBy(state, id) });
  }
  if (preview?.mask) {
    const colour = colourOfNext(objectOf(state, preview.object), state);
    looks.push({ id: "preview", mask: preview.mask, colour, opacity: opacity * 0.6, style: PREVIEW, by: null });
  }
  return looks;
}

/**
 * How far a mask was moved and isn't yet in the server's answer: [x, y] or null.
 *
 * @param {State} state
 * @param {string} id
 * @returns {Point | null}
 */
function movedBy({ nudge, waiting }, id) {
  let [x, y] = [0, 0];
  for (const move of [nudge, ...waiting.map((ghost) => ghost.shift)]) {
    if (move?.object !== id) continue;
    x += move.dx;
    y += move.dy;
  }
  return x || y ? [x, y] : null;
}

/**
 * Of what a click or stroke adds to: that object, or the one to come.
 *
 * @param {AnnotatedObject | null} object
 * @param {State} state
 */
function colourOfNext(object, state) {
  return object
    ? colourOfObject(object, state)
    : labelColour(state.label ?? state.project?.labels[0] ?? "", state.project);
}

/**
 * @param {{ id: string }} object
 * @param {State} state
 * @returns {Style}
 */
function styleOf({ id }, { selected, chosen, lit, intent }) {
  const named = intent?.does === "select" && intent.object === id;
  if (id === selected || named || chosen.includes(id)) return SELECTED;
  return id === lit ? LIT : PLAIN;
}

/**
 * Clearly more than the others have.
 *
 * @param {State} state
 */
function litOpacity({ opacity }) {
  return Math.min(opacity + 0.25, 0.9);
}

const PLAIN = { casing: 2.5, line: 1.25 };
const SELECTED = { casing: 4.5, line: 2.25 };
const LIT = { casing: 4, line: 2 };
const PREVIEW = { casing: 3, line: 1.5, dash: [5, 4] };

/**
 * The clicks to draw: [{x, y, positive, selected, waiting}], the one being dragged where the pointer holds it.
 *
 * @param {State} state
 * @returns {ShownClick[]}
 */
export function clicksShown(state) {
  const { dragged, waiting, selected, selectedClick } = state;
  const settled = clicksNow(state).map(({ index, ...click }) => {
    const held = dragged?.object === selected && dragged.index === index ? dragged.point : [click.x, click.y];
    return { ...click, x: held[0], y: held[1], selected: index === selectedClick };
  });
  const coming = waiting.flatMap((ghost) => ghost.clicks ?? []).map((click) => ({ ...click, waiting: true }));
  return [...settled, ...coming];
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {State} state
 */
function paintClicks(context, state) {
  for (const click of clicksShown(state)) {
    const [x, y] = toScreen(state.view, [click.x, click.y]);
    const radius = click.selected ? CLICK_RADIUS + 1.5 : CLICK_RADIUS;
    context.globalAlpha = click.waiting ? 0.75 : 1;
    disc(context, x, y, radius + 1.5, "#ffffff", CASING);
    disc(context, x, y, radius - 1, click.positive ? POSITIVE : NEGATIVE);
    sign(context, x, y, click.positive);
    context.globalAlpha = 1;
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 * @param {string} colour
 * @param {string} [edge]
 */
function disc(context, x, y, radius, colour, edge) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  if (!edge) return;
  context.strokeStyle = edge;
  context.lineWidth = 1;
  context.stroke();
}

/**
 * A plus or a minus, so that colour alone never carries the meaning.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {boolean} positive
 */
function sign(context, x, y, positive) {
  context.strokeStyle = "#06120a";
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x - 3, y);
  context.lineTo(x + 3, y);
  if (positive) {
    context.moveTo(x, y - 3);
    context.lineTo(x, y + 3);
  }
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {State} state
 */
function paintCursor(context, { tool, pointer, cursor, radius, view, panning }) {
  const at = cursor ?? pointer;
  if (!at || panning) return;
  const [x, y] = toScreen(view, at);
  if (STROKES.has(tool)) ring(context, x, y, radius * view.scale);
  if (cursor) crosshair(context, x, y);
}

/**
 * Beside the pointer: what a click would do, where that isn't what the hint line says.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {State} state
 * @param {Intent} intent
 * @param {Point} pointer
 */
function paintTag(context, state, intent, pointer) {
  const text = tagOf(state, intent, pointer);
  if (!text) return;
  const [x, y] = toScreen(state.view, pointer);
  context.font = "600 12px system-ui, sans-serif";
  const width = context.measureText(text).width + 16;
  const left = Math.min(x + 14, state.viewport.width - width - 4);
  const top = Math.min(y + 16, state.viewport.height - 28);
  context.beginPath();
  context.roundRect(left, top, width, 24, 6);
  context.fillStyle = CASING;
  context.fill();
  context.fillStyle = "#ffffff";
  context.textBaseline = "middle";
  context.fillText(text, left + 8, top + 12.5);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 */
function ring(context, x, y, radius) {
  for (const { colour, width } of [
    { colour: CASING, width: 3 },
    { colour: "#ffffff", width: 1.25 },
  ]) {
    context.beginPath();
    context.arc(x, y, Math.max(radius, 1), 0, 2 * Math.PI);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 */
function crosshair(context, x, y) {
  for (const { colour, width } of [
    { colour: CASING, width: 4 },
    { colour: "#ffffff", width: 1.5 },
  ]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ]) {
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 14 * dx, y + 14 * dy);
    }
    context.stroke();
  }
}
