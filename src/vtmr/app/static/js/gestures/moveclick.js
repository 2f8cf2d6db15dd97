// A click of the selected object can be dragged elsewhere; a press without a drag selects it, for Delete.

import { clicksNow } from "../clicks.js";
import { distance, isInside, toScreen } from "../geometry.js";
import { canEdit, selectedObject } from "../store.js";

/** @import { Begin, Page } from "../page.js" */
/** @import { Point } from "../wire.js" */

const REACH = 10; // CSS pixels around a click's centre
const SLACK = 3; // CSS pixels that a press may wander without being a drag

/**
 * @param {Page} page
 * @returns {Begin}
 */
export function moveClick({ store, stage, editor }) {
  return (event) => {
    const { view, overlay } = store.state;
    const object = selectedObject(store.state);
    if (!overlay || event.button !== 0 || event.altKey || !object || !canEdit(store.state)) return null;
    const start = stage.screenPoint(event);
    const hit = clicksNow(store.state).findLast(({ x, y }) => distance(toScreen(view, [x, y]), start) <= REACH);
    if (!hit) return null;
    const { index } = hit;
    /** @type {Point | null} */
    let held = null;
    return {
      move(moved) {
        if (!held && distance(stage.screenPoint(moved), start) <= SLACK) return;
        const point = stage.imagePoint(moved);
        const { document } = store.state;
        held = document && isInside(document, point) ? point : held;
        if (held) store.update({ dragged: { object: object.id, index, point: held }, preview: null });
      },
      end() {
        if (held) editor.moveClick(object.id, index, held);
        store.update({ dragged: null, selectedClick: held ? null : index });
      },
      cancel: () => store.update({ dragged: null }),
    };
  };
}
