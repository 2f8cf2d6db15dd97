// Boxes, outlines and cuts, once they are drawn.

import { distance } from "../geometry.js";
import { selectedObject } from "../store.js";

/** @import { About, Changes, Ghost, Store } from "../page.js" */
/** @import { Point } from "../wire.js" */

const LEAST_BOX = 3; // CSS pixels a side: a smaller one is a slip of the hand
const NO_OBJECT = "Nothing is selected to cut: select a mask first.";

/**
 * @param {Store} store
 * @param {Changes} changes
 * @param {About} about
 */
export function drawingActions(store, { onTarget, onSelected }, { selection, say }) {
  return {
    /**
     * Begins a new object with the box between two opposite corners.
     *
     * @param {Point} one
     * @param {Point} other
     */
    box(one, other) {
      const [x0, x1] = [Math.min(one[0], other[0]), Math.max(one[0], other[0])];
      const [y0, y1] = [Math.min(one[1], other[1]), Math.max(one[1], other[1])];
      const { scale } = store.state.view;
      if ((x1 - x0) * scale < LEAST_BOX || (y1 - y0) * scale < LEAST_BOX) return;
      const before = selection.mark();
      if (store.state.selected || selection.coming) selection.selectNew();
      /** @type {Ghost} */
      const ghost = { drawn: { kind: "box", points: [one, other] } };
      onTarget("box", { op: "box", box: [x0, y0, x1, y1] }, { ghost, before });
    },
    /** Closes the outline that is being drawn: what it encloses is added or erased. */
    closeOutline() {
      const { drawn } = store.state;
      if (drawn?.kind !== "outline") return;
      store.update({ drawn: null });
      const { points, mode } = drawn;
      if (points.length < 3) return;
      if (mode === "erase" && !store.state.selected && !selection.coming) {
        return say("Nothing is selected to erase from: click a mask, or its row, first.");
      }
      onTarget("outline", { op: "outline", points, mode }, { ghost: { drawn }, begins: mode === "add" });
    },
    /**
     * Cuts the selected object along a line.
     *
     * @param {Point[]} points
     */
    cut(points) {
      if (!selectedObject(store.state)) return say(NO_OBJECT);
      onSelected("cut", { op: "split", points }, { ghost: { drawn: { kind: "cut", points } } });
    },
    /** Takes the last corner back. */
    dropCorner() {
      const { drawn } = store.state;
      const points = drawn?.points.slice(0, -1) ?? [];
      store.update({ drawn: drawn && points.length ? { ...drawn, points } : null });
    },
    /**
     * Sets the next corner of what the held tool draws, from the keyboard; `last` ends it.
     *
     * @param {Point} point
     * @param {boolean} last
     */
    corner(point, last) {
      const { tool, drawn } = store.state;
      if (tool === "outline") {
        store.update({ drawn: { kind: tool, points: [...(drawn?.points ?? []), point], mode: drawn?.mode ?? "add" } });
        if (last) this.closeOutline();
        return;
      }
      if (tool !== "box" && tool !== "cut") return;
      const from = drawn?.points[0];
      if (!from || distance(from, point) === 0) return store.update({ drawn: { kind: tool, points: [point] } });
      store.update({ drawn: null });
      if (tool === "box") this.box(from, point);
      else this.cut([from, point]);
    },
  };
}
