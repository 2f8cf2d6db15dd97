// The selected mask follows a drag that begins on it.

import { distance, pixelOf } from "../geometry.js";
import { isOn } from "../masks.js";
import { canEdit, selectedObject } from "../store.js";

/** @import { Begin, Page } from "../page.js" */

const SLACK = 3; // CSS pixels that a press may wander without being a drag

/**
 * @param {Page} page
 * @returns {Begin}
 */
export function moveMask({ store, stage, editor }) {
  return (event) => {
    const { masks } = store.state;
    const object = selectedObject(store.state);
    if (event.button !== 0 || !object || object.locked || !canEdit(store.state)) return null;
    const [start, from] = [stage.screenPoint(event), stage.imagePoint(event)];
    if (!isOn(masks[object.id], pixelOf(from))) return null;
    let moving = false;
    editor.settle();
    return {
      move(moved) {
        moving ||= distance(stage.screenPoint(moved), start) > SLACK;
        if (!moving) return;
        const [x, y] = stage.imagePoint(moved);
        editor.drag(object.id, Math.round(x - from[0]), Math.round(y - from[1]));
      },
      end: () => editor.letGo(),
      cancel: () => store.update({ nudge: null }),
    };
  };
}
