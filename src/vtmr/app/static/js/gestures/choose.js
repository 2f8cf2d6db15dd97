// A press selects the uppermost visible object there; beside all objects, none. With Shift, whatever tool is held.

import { objectAt } from "../intent.js";

/** @import { Begin, Page } from "../page.js" */

/**
 * @param {Page} page
 * @returns {Begin}
 */
export function choose({ store, stage, editor }) {
  return (event) => {
    if (event.button !== 0 || !store.state.document) return null;
    editor.select(objectAt(store.state, stage.imagePoint(event))?.id ?? null);
    return {};
  };
}

/**
 * While another object is asked for.
 *
 * @param {Page} page
 * @returns {Begin}
 */
export function choosePicked(page) {
  const gesture = choose(page);
  return (event) => (page.store.state.picking ? gesture(event) : null);
}

/**
 * @param {Page} page
 * @returns {Begin}
 */
export function chooseWithShift(page) {
  const gesture = choose(page);
  return (event) => (event.shiftKey ? gesture(event) : null);
}
