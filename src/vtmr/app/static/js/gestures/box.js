// A drag draws a box around a new object; a press without a drag is a click, which refines it.

import { distance, isInside, visibleBox } from "../geometry.js";
import { canEdit } from "../store.js";

/** @import { Begin, Page } from "../page.js" */

const SLACK = 4; // CSS pixels that a press may wander without being a drag

/**
 * @param {Page} page
 * @returns {Begin}
 */
export function box({ store, stage, editor }) {
  return (event) => {
    if ((event.button !== 0 && event.button !== 2) || !canEdit(store.state)) return null;
    const [start, from] = [stage.screenPoint(event), stage.imagePoint(event)];
    const positive = event.button === 0 && !event.altKey && !event.ctrlKey;
    let drawn = false;
    store.update({ cursor: null, preview: null });
    return {
      move(moved) {
        drawn ||= positive && distance(stage.screenPoint(moved), start) > SLACK;
        if (drawn) store.update({ drawn: { kind: "box", points: [from, stage.imagePoint(moved)] } });
      },
      end() {
        const corners = store.state.drawn?.points;
        store.update({ drawn: null });
        const { document, view, viewport } = store.state;
        if (drawn) {
          if (corners?.[1]) editor.box(corners[0], corners[1]); // else it was put away meanwhile
        } else if (document && isInside(document, from))
          editor.click(from, positive, visibleBox(view, document, viewport));
      },
      cancel: () => store.update({ drawn: null }),
    };
  };
}
