// Lines of the brush: one being drawn, and those on their way. Of a long one what was painted is kept on a canvas: a
// pointer that moves paints the stretch that is new, not the thousands before it.

/** @import { State, Stroke, View } from "../page.js" */
/** @import { Point } from "../wire.js" */

const LONG = 200; // points from which on a copy of the canvas costs less than the line

/** @typedef {ReturnType<typeof createStrokeLayer>} StrokeLayer */
/**
 * The first `count` points of a line, painted in a view.
 *
 * @typedef {{ context: CanvasRenderingContext2D, count: number, view: View, look: string }} Kept
 */

export function createStrokeLayer() {
  /** @type {Map<Point, Kept>} */
  let kept = new Map(); // by a line's first point, which stays the same while it grows

  /**
   * @param {CanvasRenderingContext2D} onto
   * @param {State} state
   * @param {string} colour of what is added
   */
  function paint(onto, state, colour) {
    /** @type {Map<Point, Kept>} */
    const still = new Map();
    for (const stroke of strokesOf(state)) {
      const shown = stroke.mode === "add" ? colour : "#0a0c10";
      // Stretches of changing width overlap: a veil would be darker there.
      const veil = stroke.pressures ? 1 : stroke.mode === "add" ? Math.max(state.opacity, 0.3) : 0.55;
      onto.globalAlpha = veil;
      if (stroke.points.length < LONG) drawLine(onto, stroke, shown, state, 0);
      else {
        const layer = upToDate(stroke, shown, state, onto.canvas);
        still.set(stroke.points[0], layer);
        onto.setTransform(1, 0, 0, 1, 0, 0);
        onto.drawImage(layer.context.canvas, 0, 0);
      }
      onto.globalAlpha = 1;
    }
    kept = still;
  }

  /**
   * @param {Stroke} stroke
   * @param {string} colour
   * @param {State} state
   * @param {{ width: number, height: number }} size device pixels
   */
  function upToDate(stroke, colour, state, { width, height }) {
    const look = [colour, stroke.radius, width, height].join(" ");
    const { points } = stroke;
    const before = kept.get(points[0]);
    const goesOn = before?.view === state.view && before.look === look && before.count <= points.length;
    const layer = goesOn ? before : { context: emptyCanvas(width, height), count: 0, view: state.view, look };
    if (layer.count < points.length) drawLine(layer.context, stroke, colour, state, layer.count);
    layer.count = points.length;
    return layer;
  }

  return { paint };
}

/**
 * @param {number} width
 * @param {number} height
 */
function emptyCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/**
 * @param {State} state
 * @returns {Stroke[]}
 */
function strokesOf({ stroke: drawn, waiting }) {
  return [...waiting.flatMap((ghost) => ghost.stroke ?? []), ...(drawn ? [drawn] : [])];
}

/**
 * A line from its point `first` on, with the stretch that leads there.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Stroke} stroke
 * @param {string} colour
 * @param {State} state
 * @param {number} first
 */
function drawLine(context, { points, radius, pressures }, colour, { view, viewport }, first) {
  const scale = view.scale * viewport.ratio;
  context.setTransform(scale, 0, 0, scale, view.x * viewport.ratio, view.y * viewport.ratio);
  context.strokeStyle = colour;
  context.lineCap = "round";
  context.lineJoin = "round";
  const from = Math.max(first - 1, 0);
  const shares = pressures?.slice(from);
  if (shares) pressedLine(context, points.slice(from), radius, shares);
  else plainLine(context, points.slice(from), radius);
  context.lineCap = "butt";
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} points
 * @param {number} radius
 */
function plainLine(context, points, radius) {
  context.lineWidth = 2 * radius;
  context.beginPath();
  context.moveTo(...points[0]);
  if (points.length === 1) context.lineTo(...points[0]);
  for (const point of points.slice(1)) context.lineTo(...point);
  context.stroke();
}

/**
 * Each stretch as thick as the harder pressed of its ends.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} points
 * @param {number} radius
 * @param {number[]} pressures
 */
function pressedLine(context, points, radius, pressures) {
  points.forEach((point, i) => {
    const before = points[i - 1] ?? point;
    context.lineWidth = 2 * radius * Math.max(pressures[i], pressures[i - 1] ?? 0);
    context.beginPath();
    context.moveTo(...before);
    context.lineTo(...point);
    context.stroke();
  });
}
