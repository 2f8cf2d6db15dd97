// Lasso and polygon: a drag draws a line by hand, presses set corners; Enter, a double click or a press on the first
// corner closes it.

import { distance, toScreen } from "../geometry.js";
import { canEdit } from "../store.js";

/** @import { Begin, Mode, Page } from "../page.js" */
/** @import { Point } from "../wire.js" */

const SLACK = 4; // CSS pixels that a press may wander without being a drag
const REACH = 10; // CSS pixels around the first corner that close the line
const APART = 1.5; // CSS pixels between points of a drag
const DOUBLE_MS = 400;

/**
 * @param {Page} page
 * @returns {Begin}
 */
export function outline({ store, stage, editor }) {
  let pressed = { at: -Infinity, point: /** @type {Point} */ ([0, 0]) }; // the press before

  const corners = () => (store.state.drawn?.kind === "outline" ? store.state.drawn.points : []);
  /**
   * @param {Point[]} points
   * @param {Mode} mode
   */
  const keep = (points, mode) =>
    store.update({ drawn: { kind: "outline", points, mode }, cursor: null, preview: null });

  /**
   * Whether a press at that place of the screen closes what is drawn.
   *
   * @param {Point} place
   * @param {number} now
   */
  function closes(place, now) {
    if (corners().length < 3) return false;
    const twice = now - pressed.at < DOUBLE_MS && distance(place, pressed.point) <= REACH;
    return twice || distance(toScreen(store.state.view, corners()[0]), place) <= REACH;
  }

  return (event) => {
    if ((event.button !== 0 && event.button !== 2) || !canEdit(store.state)) return null;
    const start = stage.screenPoint(event);
    if (closes(start, event.timeStamp)) {
      editor.closeOutline();
      return {};
    }
    pressed = { at: event.timeStamp, point: start };
    const { drawn: before, imageId, tool } = store.state;
    const first = corners().length === 0;
    /** @type {Mode} */
    const begun = event.button === 2 || event.altKey ? "erase" : "add";
    const mode = store.state.drawn?.mode ?? begun;
    keep([...corners(), stage.imagePoint(event)], mode);
    let dragged = false;
    return {
      move(moved) {
        dragged ||= distance(stage.screenPoint(moved), start) > SLACK;
        if (!dragged) return;
        for (const part of moved.getCoalescedEvents?.() ?? [moved]) {
          const point = stage.imagePoint(part);
          const last = corners().at(-1) ?? point;
          if (distance(point, last) * store.state.view.scale >= APART) keep([...corners(), point], mode);
        }
      },
      end() {
        if (dragged && first) editor.closeOutline();
      },
      cancel() {
        // The corners that were set before stay, unless they were put away meanwhile.
        if (store.state.imageId === imageId && store.state.tool === tool) store.update({ drawn: before });
      },
    };
  };
}
