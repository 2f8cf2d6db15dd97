// What is done to a mask by hand: strokes, and what tidies it up.

/** @import { About, Changes, Store, Stroke } from "../page.js" */

const REFINEMENTS = { fill_holes: "filled holes", drop_small: "dropped parts", smooth: "smoothing" };
const NOTHING_SELECTED = "Nothing is selected to erase from: click a mask, or its row, first.";

/**
 * @param {Store} store
 * @param {Changes} changes
 * @param {About} about
 */
export function paintActions(store, { onTarget, onMask }, { selection, say }) {
  return {
    /**
     * stroke: {points, radius, mode}.
     *
     * @param {Stroke} stroke
     */
    brush(stroke) {
      const adds = stroke.mode === "add";
      if (!adds && !store.state.selected && !selection.coming) return say(NOTHING_SELECTED);
      onTarget(adds ? "brush stroke" : "eraser stroke", { op: "brush", ...stroke }, {
        ghost: { stroke },
        begins: adds,
      });
    },
    /**
     * As `brush`, for the area that a rough line means.
     *
     * @param {Stroke} stroke
     */
    scribble({ points, radius, mode }) {
      const adds = mode === "add";
      if (!adds && !store.state.selected && !selection.coming) return say(NOTHING_SELECTED);
      const stroke = { points, radius, mode };
      onTarget("scribble", { op: "scribble", ...stroke }, { ghost: { stroke }, begins: adds });
    },
    /** @param {keyof typeof REFINEMENTS} op */
    refine(op) {
      onMask(REFINEMENTS[op], { op });
    },
    /**
     * By so many pixels; less than 0 makes it smaller.
     *
     * @param {number} pixels
     */
    grow(pixels) {
      onMask(pixels > 0 ? "growing" : "shrinking", { op: "grow", pixels });
    },
  };
}
