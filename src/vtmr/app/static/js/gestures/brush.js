// Strokes of brush, eraser and scribble: painted while they are drawn and sent as one change.

import { distance } from "../geometry.js";
import { canEdit } from "../store.js";

/** @import { Begin, Page, Press, Stroke } from "../page.js" */
/** @import { Point } from "../wire.js" */

const MOST_POINTS = 10000; // of one change; a longer stroke goes on as a new one

/**
 * send(stroke); erases: whether the tool takes away. A pen's pressure makes the stroke thinner or thicker.
 *
 * @param {Page} page
 * @param {(stroke: Stroke) => void} send
 * @returns {Begin}
 */
export function brush({ store, stage }, send, { erases = false, pressure = false } = {}) {
  return (event) => {
    const { radius, view } = store.state;
    if ((event.button !== 0 && event.button !== 2 && event.button !== 5) || !canEdit(store.state)) return null;
    const other = event.button === 2 || event.altKey;
    const mode = (erases || event.button === 5) !== other ? "erase" : "add"; // 5: the eraser at the end of a pen
    const apart = Math.max(radius / 8, 0.5 / view.scale);
    const feels = pressure && event.pointerType === "pen";
    /**
     * @param {Point} point
     * @param {number} share
     * @returns {Stroke}
     */
    const begin = (point, share) => ({ points: [point], radius, mode, ...(feels ? { pressures: [share] } : {}) });
    const finish = () => {
      const { stroke } = store.state;
      store.update({ stroke: null });
      if (stroke) send(stroke);
    };
    store.update({ stroke: begin(stage.imagePoint(event), shareOf(event)), cursor: null, preview: null });
    return {
      move(moved) {
        for (const part of moved.getCoalescedEvents?.() ?? [moved]) {
          const { stroke } = store.state;
          const before = stroke?.points.at(-1);
          if (!stroke || !before) return;
          const point = stage.imagePoint(part);
          if (distance(point, before) < apart) continue;
          const more = feels ? { pressures: [...(stroke.pressures ?? []), shareOf(part)] } : {};
          store.update({ stroke: { ...stroke, points: [...stroke.points, point], ...more } });
        }
        const { points = [] } = store.state.stroke ?? {};
        const last = points.at(-1);
        if (!last || points.length < MOST_POINTS) return;
        finish();
        store.update({ stroke: begin(last, shareOf(moved)) });
      },
      end: finish,
      cancel: () => store.update({ stroke: null }),
    };
  };
}

/**
 * Of the radius: half at the lightest touch, half as much again at full pressure.
 *
 * @param {Press} press
 */
function shareOf({ pressure }) {
  return 0.5 + pressure;
}
