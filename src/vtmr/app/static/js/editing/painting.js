// What is done to a mask by hand: strokes, and what tidies it up.

const REFINEMENTS = { fill_holes: "filled holes", drop_small: "dropped parts", smooth: "smoothing" };

export function paintActions({ onTarget, onSelected }) {
  return {
    /** stroke: {points, radius, mode}. */
    brush(stroke) {
      const name = stroke.mode === "add" ? "brush stroke" : "eraser stroke";
      onTarget(name, { op: "brush", ...stroke }, { ghost: { stroke } });
    },
    refine(op) {
      onSelected(REFINEMENTS[op], { op });
    },
  };
}
