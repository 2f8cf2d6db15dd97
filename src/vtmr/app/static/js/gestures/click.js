// A press is a click for the network: left adds, right or Alt takes away. It counts at once, not on release.

import { isInside, visibleBox } from "../geometry.js";
import { canEdit } from "../store.js";

/** @import { Begin, Page } from "../page.js" */

/**
 * @param {Page} page
 * @returns {Begin}
 */
export function click({ store, stage, editor }) {
  return (event) => {
    const { document, view, viewport } = store.state;
    if (!document || !canEdit(store.state) || (event.button !== 0 && event.button !== 2)) return null;
    const point = stage.imagePoint(event);
    if (!isInside(document, point)) return null;
    const positive = event.button === 0 && !event.altKey && !event.ctrlKey;
    store.update({ cursor: null });
    editor.click(point, positive, visibleBox(view, document, viewport));
    return {};
  };
}
