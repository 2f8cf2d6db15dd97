// A line drawn across the selected object cuts it in two.

import { distance } from "../geometry.js";
import { canEdit } from "../store.js";

/** @import { Begin, Page } from "../page.js" */

const APART = 1.5; // CSS pixels between points

/**
 * @param {Page} page
 * @returns {Begin}
 */
export function cut({ store, stage, editor }) {
  return (event) => {
    if (event.button !== 0 || !canEdit(store.state)) return null;
    store.update({ drawn: { kind: "cut", points: [stage.imagePoint(event)] }, cursor: null, preview: null });
    return {
      move(moved) {
        for (const part of moved.getCoalescedEvents?.() ?? [moved]) {
          const { points = [] } = store.state.drawn ?? {};
          const before = points.at(-1);
          const point = stage.imagePoint(part);
          if (!before || distance(point, before) * store.state.view.scale < APART) continue;
          store.update({ drawn: { kind: "cut", points: [...points, point] } });
        }
      },
      end() {
        const { points = [] } = store.state.drawn ?? {};
        store.update({ drawn: null });
        if (points.length > 1) editor.cut(points);
      },
      cancel: () => store.update({ drawn: null }),
    };
  };
}
