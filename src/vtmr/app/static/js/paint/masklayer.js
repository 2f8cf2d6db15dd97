// The masks. Where there are many, they are kept on a canvas of their own: only what looks different from the last time
// is painted anew, and a pointer that moves costs a copy of the canvas.

import { intersection, visibleBox } from "../geometry.js";
import { CASING } from "../palette.js";
import { createContours } from "./contour.js";
import { outlineOf } from "./maskcache.js";

/** @import { Mask, State, View } from "../page.js" */
/** @import { Box, Point } from "../wire.js" */
/** @import { Contour, Contours } from "./contour.js" */

/** @typedef {{ casing: number, line: number, dash?: number[] }} Style Widths and lengths in CSS pixels. */
/** @typedef {{ id: string, mask: Mask, colour: string, opacity: number, style: Style, by: Point | null }} Look */
/** @typedef {ReturnType<typeof createMaskLayer>} MaskLayer */

const MANY = 12; // masks from which on a copy of the canvas costs less than all of them
const RIM = 2; // device pixels beyond a line's half width that its smooth edge may reach

export function createMaskLayer() {
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const contours = createContours();
  /** @type {Look[]} */
  let painted = [];
  /** @type {View | null} */
  let seenIn = null;

  /**
   * Paints the looks onto an empty canvas.
   *
   * @param {CanvasRenderingContext2D} onto
   * @param {State} state
   * @param {Look[]} looks the lowest first
   */
  function paint(onto, state, looks) {
    if (looks.length < MANY) {
      seenIn = null;
      drawLooks(onto, state, looks, null, contours);
      return;
    }
    const dirty = outdated(onto.canvas, state, looks);
    [painted, seenIn] = [looks, state.view];
    if (dirty.length) repaint(state, dirty);
    onto.setTransform(1, 0, 0, 1, 0, 0);
    onto.drawImage(canvas, 0, 0);
  }

  /**
   * Where what was painted last doesn't hold any more, device pixels.
   *
   * @param {{ width: number, height: number }} size that the canvas has to have
   * @param {State} state
   * @param {Look[]} looks
   */
  function outdated({ width, height }, { view, viewport }, looks) {
    /** @type {Box} */
    const whole = [0, 0, width, height];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      return [whole];
    }
    if (seenIn !== view || !inOrder(painted, looks)) return [whole];
    const boxes = changed(painted, looks).map((look) => intersection(boxOf(look, view, viewport.ratio), whole));
    return boxes.filter((box) => box !== null);
  }

  /**
   * @param {State} state
   * @param {Box[]} dirty device pixels
   */
  function repaint(state, dirty) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.save();
    context.beginPath();
    for (const [x0, y0, x1, y1] of dirty) {
      context.rect(x0, y0, x1 - x0, y1 - y0);
      context.clearRect(x0, y0, x1 - x0, y1 - y0);
    }
    context.clip();
    drawLooks(context, state, painted, dirty, contours);
    context.restore();
  }

  return { paint };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {State} state
 * @param {Look[]} looks
 * @param {Box[] | null} dirty device pixels: what reaches into none of them is passed over
 * @param {Contours} contours
 */
function drawLooks(context, { view, viewport, document }, looks, dirty, contours) {
  const { ratio } = viewport;
  const [scale, x, y] = [view.scale * ratio, view.x * ratio, view.y * ratio];
  /** @type {Box} */
  const whole = [0, 0, context.canvas.width, context.canvas.height];
  const visible = document && visibleBox(view, document, viewport);
  if (!visible) return;
  /** @type {Contour[]} */
  const shown = [];
  for (const look of looks) {
    const box = intersection(boxOf(look, view, ratio), whole);
    if (!box || (dirty && !dirty.some((part) => intersection(box, part)))) continue;
    const outline = outlineOf(look.mask, visible, scale);
    if (!outline) continue;
    const [dx, dy] = look.by ?? [0, 0];
    shown.push({ ...look, outline, box, place: { scale, x: x + scale * dx, y: y + scale * dy } });
  }
  const spots = contours.prepare(shown, ratio);
  for (const contour of shown) {
    const spot = spots.get(contour);
    if (spot) {
      contours.draw(context, contour, spot);
      continue;
    }
    const { outline, place, colour, opacity, style } = contour;
    context.setTransform(scale, 0, 0, scale, place.x, place.y);
    fill(context, outline.path, colour, opacity);
    stroke(context, outline.path, colour, view.scale, style);
  }
}

/**
 * Whether those that are in both lie over each other as before.
 *
 * @param {Look[]} before
 * @param {Look[]} now
 */
function inOrder(before, now) {
  const places = new Map(before.map(({ id }, place) => [id, place]));
  const common = now.flatMap(({ id }) => places.get(id) ?? []);
  return common.every((place, i) => i === 0 || common[i - 1] < place);
}

/**
 * The looks, of both times, of what doesn't look as before.
 *
 * @param {Look[]} before
 * @param {Look[]} now
 */
function changed(before, now) {
  const others = new Map(before.map((look) => [look.id, look]));
  const found = [];
  for (const look of now) {
    const other = others.get(look.id);
    others.delete(look.id);
    if (!other) found.push(look);
    else if (!isSame(look, other)) found.push(look, other);
  }
  return [...found, ...others.values()];
}

/**
 * @param {Look} one
 * @param {Look} other
 */
function isSame(one, other) {
  const alike = one.mask === other.mask && one.colour === other.colour && one.opacity === other.opacity;
  return alike && one.style === other.style && String(one.by) === String(other.by);
}

/**
 * What a look covers, its lines included: whole device pixels.
 *
 * @param {Look} look
 * @param {View} view
 * @param {number} ratio
 * @returns {Box}
 */
function boxOf({ mask, style, by }, view, ratio) {
  const [x0, y0, x1, y1] = mask.box;
  const [dx, dy] = by ?? [0, 0];
  const rim = (style.casing / 2) * ratio + RIM;
  // An outline of coarse cells reaches up to a cell, which is a device pixel, beyond its box.
  return [
    Math.floor((view.scale * (x0 + dx) + view.x) * ratio - rim),
    Math.floor((view.scale * (y0 + dy) + view.y) * ratio - rim),
    Math.ceil((view.scale * (x1 + dx) + view.x) * ratio + rim),
    Math.ceil((view.scale * (y1 + dy) + view.y) * ratio + rim),
  ];
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Path2D} outline
 * @param {string} colour
 * @param {number} opacity
 */
function fill(context, outline, colour, opacity) {
  context.globalAlpha = opacity;
  context.fillStyle = colour;
  context.fill(outline);
  context.globalAlpha = 1;
}

/**
 * Two tones: one of them stands out on any photo. Widths are CSS pixels.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Path2D} outline
 * @param {string} colour
 * @param {number} scale
 * @param {Style} style
 */
function stroke(context, outline, colour, scale, { casing, line, dash }) {
  context.lineJoin = "bevel"; // thousands of short edges: round joins cost several times as much
  context.setLineDash((dash ?? []).map((length) => length / scale));
  context.strokeStyle = CASING;
  context.lineWidth = casing / scale;
  context.stroke(outline);
  context.strokeStyle = colour;
  context.lineWidth = line / scale;
  context.stroke(outline);
  context.setLineDash([]);
}
