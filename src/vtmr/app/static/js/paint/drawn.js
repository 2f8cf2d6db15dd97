// What is being drawn and not yet part of a mask: boxes, outlines, cuts; and the box that an object began with.

import { toScreen } from "../geometry.js";
import { CASING } from "../palette.js";

/** @import { Drawn, State, View } from "../page.js" */
/** @import { Box, Point } from "../wire.js" */

const CORNER = 3.5; // CSS pixels

/**
 * In CSS pixels of the stage. Of an outline in work the line to the pointer is drawn too.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {State} state
 * @param {Drawn} drawn
 */
export function paintDrawn(context, state, { kind, points }, waiting = false) {
  const places = points.map((point) => toScreen(state.view, point));
  if (!waiting && kind === "outline" && state.pointer) places.push(toScreen(state.view, state.pointer));
  const [start, end = start] = [places[0], places.at(-1)];
  if (!start || !end) return;
  if (kind === "box") strokeBox(context, [...start, ...end]);
  else strokeLine(context, places, kind === "outline" && waiting);
  if (kind === "outline" && !waiting) corner(context, start);
}

/**
 * The dashed box that the selected object began with.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Box} box
 */
export function paintPrompt(context, view, [x0, y0, x1, y1]) {
  context.globalAlpha = 0.7;
  strokeBox(context, [...toScreen(view, [x0, y0]), ...toScreen(view, [x1, y1])]);
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Box} box
 */
function strokeBox(context, [x0, y0, x1, y1]) {
  context.beginPath();
  context.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
  twoTones(context);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} places
 * @param {boolean} closed
 */
function strokeLine(context, places, closed) {
  context.beginPath();
  context.moveTo(...places[0]);
  for (const place of places.slice(1)) context.lineTo(...place);
  if (closed) context.closePath();
  twoTones(context);
}

/** @param {CanvasRenderingContext2D} context */
function twoTones(context) {
  context.strokeStyle = CASING;
  context.lineWidth = 3.5;
  context.stroke();
  context.setLineDash([6, 4]);
  context.strokeStyle = "#ffffff";
  context.lineWidth = 1.5;
  context.stroke();
  context.setLineDash([]);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point} point
 */
function corner(context, [x, y]) {
  context.beginPath();
  context.rect(x - CORNER, y - CORNER, 2 * CORNER, 2 * CORNER);
  context.fillStyle = "#ffffff";
  context.fill();
  context.strokeStyle = CASING;
  context.lineWidth = 1;
  context.stroke();
}
