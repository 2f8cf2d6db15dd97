// The selected object's clicks as the hand left them: where the server hasn't answered yet, too. A pure function.

import { selectedObject } from "./store.js";

/** @import { State } from "./page.js" */
/** @import { Click } from "./wire.js" */

/**
 * Those that weren't deleted, each where it was moved to. index: among those that the server knows.
 *
 * @param {State} state
 * @returns {(Click & { index: number, waiting: boolean })[]}
 */
export function clicksNow(state) {
  const edits = new Map(
    state.waiting.flatMap(({ edits: found }) => (found?.object === state.selected ? [...found.places] : [])),
  );
  const clicks = selectedObject(state)?.clicks ?? [];
  return clicks.flatMap((click, index) => {
    const place = edits.get(index);
    if (place === null) return [];
    return [{ ...click, ...(place ? { x: place[0], y: place[1] } : {}), index, waiting: Boolean(place) }];
  });
}
