// Drag with the middle button, or with the space bar held: the photo follows the pointer.

import { panBy } from "../geometry.js";

/** @import { Begin, Page } from "../page.js" */

/**
 * @param {Page} page
 * @returns {Begin}
 */
export function pan({ store, stage }) {
  return (event) => {
    if (event.button !== 1 && !(event.button === 0 && store.state.panning)) return null;
    const start = stage.screenPoint(event);
    const { view } = store.state;
    return {
      move(moved) {
        const [x, y] = stage.screenPoint(moved);
        stage.look(panBy(view, x - start[0], y - start[1]));
      },
    };
  };
}
