// Brush and eraser: a stroke is painted while it is drawn and sent as one change.

import { distance } from "../geometry.js";
import { canEdit } from "../store.js";

const MOST_POINTS = 10000; // of one change; a longer stroke goes on as a new one

export function brush({ store, stage, editor }) {
  return (event) => {
    const { tool, radius, view } = store.state;
    if (tool === "click" || (event.button !== 0 && event.button !== 2) || !canEdit(store.state)) return null;
    const erases = (tool === "eraser") !== (event.button === 2 || event.altKey);
    const mode = erases ? "erase" : "add";
    const apart = Math.max(radius / 8, 0.5 / view.scale);
    const send = () => {
      const { stroke } = store.state;
      store.update({ stroke: null });
      if (stroke) editor.brush(stroke);
    };
    store.update({ stroke: { points: [stage.imagePoint(event)], radius, mode }, cursor: null, preview: null });
    return {
      move(moved) {
        for (const part of moved.getCoalescedEvents?.() ?? [moved]) {
          const { stroke } = store.state;
          const point = stage.imagePoint(part);
          if (distance(point, stroke.points.at(-1)) < apart) continue;
          store.update({ stroke: { ...stroke, points: [...stroke.points, point] } });
        }
        if (store.state.stroke.points.length < MOST_POINTS) return;
        const { points } = store.state.stroke;
        send();
        store.update({ stroke: { points: [points.at(-1)], radius, mode } });
      },
      end: send,
      cancel: () => store.update({ stroke: null }),
    };
  };
}
