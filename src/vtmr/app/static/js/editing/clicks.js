// Clicks for the network.

import { howToCorrect, objectOf } from "../store.js";

export function clickActions(store, { change, onTarget, onSelected }, clock) {
  return {
    /** region: the visible box of the image. */
    click(point, positive, region) {
      const click = { x: point[0], y: point[1], positive };
      const fields = { op: "click", clicks: [click], region, ...howToCorrect(store.state) };
      onTarget("click", fields, { ghost: { clicks: [click] }, timed: true, begun: clock() });
    },
    moveClick(object, index, [x, y]) {
      const positive = objectOf(store.state, object)?.clicks[index]?.positive ?? true;
      const ghost = { clicks: [{ x, y, positive }], instead: { object, index } };
      change("moved click", { op: "move_click", object, index, x, y }, { ghost, timed: true, begun: clock() });
    },
    deleteClick(index) {
      onSelected("deleted click", { op: "delete_click", index });
    },
  };
}
