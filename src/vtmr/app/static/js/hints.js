// The line that says what a press does now. A pure function of the state.

import { areaOf } from "./masks.js";
import { selectedObject } from "./store.js";

/** @import { WithImage } from "./page.js" */

const HINTS = {
  fresh: "Click the new object. Right-click takes away.",
  none: "Click an object to outline it, or a mask to select it.",
  first: "Click an object. Right-click takes away.",
  click: "Click what is missing, right-click what is too much. Then the next one:",
  select: "Click a mask to select it.",
  box: "Drag a box around an object. A press without a drag is a click that corrects it.",
  outline: "Drag around an area, or click its corners: the first one again, Enter or a double click closes it.",
  scribble: "Scribble over an area of one colour: what is connected and coloured alike comes along. Alt takes away.",
  cut: "Draw a line right across the selected object: it becomes two.",
  unchosen: "Select an object first: Shift and a click on its mask.",
  empty: "There is no object here yet. C: outline one by a click.",
  selected: "Drag the mask, or press arrows, to move it. Shift + arrows: ten pixels.",
  merge: "Click the object to merge with this one. Escape leaves it.",
  subtract: "Click the object whose pixels are to be taken out of this one. Escape leaves it.",
  brush: "Paint what belongs to the object. Alt erases.",
  eraser: "Paint over what doesn't belong. Alt adds.",
  began: "That click began a new object.",
  added: "That click went to the selected object.",
  edited: "A click changes only the part it touches. K: take the whole answer.",
  refit: "A click takes the network's whole answer. K: only the part it touches.",
  locked: "This object is locked. L unlocks it.",
  hidden: "Masks are hidden. Press X to show them.",
  hiddenObject: "This object is hidden. H shows it.",
};

// What these tools do, they do to the selected object.
const OF_AN_OBJECT = new Set(["cut", "eraser"]);

/** @type {Partial<typeof HINTS>} */
const FINGERS = {
  fresh: "Tap the new object. Hold a finger to take away.",
  none: "Tap an object to outline it, or a mask to select it.",
  first: "Tap an object. Hold a finger to take away.",
  click: "Tap what is missing, hold what is too much. Then the next one:",
  select: "Tap a mask to select it.",
  unchosen: "Select an object first: tap its row in the list.",
  empty: "There is no object here yet. Choose the click tool and tap one.",
  selected: "Drag the mask to move it.",
};

/**
 * fingers: whether the user has no mouse.
 *
 * @param {WithImage} state
 * @param {boolean} fingers
 */
export function hintFor(state, fingers) {
  if (state.playing) return `Playing later clicks again: ${state.playing.done} of ${state.playing.of}`;
  const name = hintNamed(state);
  return (fingers && FINGERS[name]) || HINTS[name];
}

/** @param {WithImage} state */
function hintNamed(state) {
  const object = selectedObject(state);
  if (!state.overlay) return "hidden";
  if (state.picking) return state.picking;
  if (object?.locked) return "locked";
  if (object && !object.visible) return "hiddenObject";
  if (state.tool === "select" && object) return "selected";
  if (state.guess?.made) return state.guess.did === "new" ? "began" : "added";
  if (!object && OF_AN_OBJECT.has(state.tool)) return state.document.objects.length ? "unchosen" : "empty";
  if (state.tool !== "click") return state.tool;
  if (!object) {
    if (state.fresh) return "fresh";
    return state.document.objects.length ? "none" : "first";
  }
  if (!object.edited || !areaOf(state.masks[object.id])) return "click";
  return state.refit ? "refit" : "edited";
}
