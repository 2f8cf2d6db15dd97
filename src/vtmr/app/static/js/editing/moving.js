// The selected mask, moved by whole pixels: many small moves become one change.

import { keepApart, selectedObject } from "../store.js";

/** @import { Changes, Store } from "../page.js" */

const REST_MS = 350; // after the last move it is sent

/**
 * @param {Store} store
 * @param {Changes} changes
 */
export function moveActions(store, { change, hold, settle }) {
  let timer = 0;

  function send() {
    clearTimeout(timer);
    const { nudge } = store.state;
    store.update({ nudge: null });
    if (!nudge || (!nudge.dx && !nudge.dy)) return;
    const fields = { op: "shift", ...nudge, keep_apart: keepApart(store.state) };
    change("move", fields, { ghost: { shift: nudge } });
  }

  return {
    settle,
    /**
     * A hand holds the mask, so far from where it was: nothing is sent before it lets go, since on the way it would
     * lose what lies on others just then.
     *
     * @param {string} object
     * @param {number} dx
     * @param {number} dy
     */
    drag: (object, dx, dy) => store.update({ nudge: { object, dx, dy }, preview: null }),
    letGo: send,
    /**
     * @param {number} dx
     * @param {number} dy
     */
    nudge(dx, dy) {
      const object = selectedObject(store.state);
      if (!object || object.locked) return;
      const before = store.state.nudge ?? { object: object.id, dx: 0, dy: 0 };
      store.update({ nudge: { object: object.id, dx: before.dx + dx, dy: before.dy + dy }, preview: null });
      hold(send);
      clearTimeout(timer);
      timer = setTimeout(settle, REST_MS);
    },
  };
}
