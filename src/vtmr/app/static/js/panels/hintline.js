// The line over the lower edge of the image: what a press does now, and how to go on with the next object.

import { byId } from "../dom.js";
import { hintFor } from "../hints.js";
import { numberOf } from "../palette.js";
import { canEdit } from "../store.js";

/** @import { Guess, Page, State } from "../page.js" */

/** @type {(keyof State)[]} */
const KEYS = [
  "tool",
  "document",
  "selected",
  "fresh",
  "project",
  "overlay",
  "masks",
  "refit",
  "picking",
  "connection",
  "playing",
  "guess",
];

/** @param {Page} page */
export function hintLine({ store, stage, editor, commands }) {
  const fingers = matchMedia("(pointer: coarse)");
  /** @type {[button: HTMLElement, command: string][]} */
  const offers = [
    [byId("hint-new"), "new"],
    [byId("hint-over"), "over"],
  ];
  for (const [button, name] of offers) {
    button.addEventListener("click", (event) => {
      commands.find(({ id }) => id === name)?.run?.(event);
      stage.element.focus();
    });
  }
  byId("hint-stop").addEventListener("click", () => {
    editor.stopPlaying();
    stage.element.focus();
  });
  store.watch(KEYS, (state) => {
    const text = canEdit(state) ? hintFor(state, fingers.matches) : "";
    byId("hint").textContent = text;
    byId("hint-line").hidden = !text;
    byId("hint-stop").hidden = !state.playing;
    const busy = Boolean(state.picking || state.playing);
    byId("hint-new").hidden = !state.selected || busy;
    byId("hint-over").hidden = !state.guess?.made || busy;
    byId("hint-over-text").textContent = state.guess ? otherOf(state.guess) : "";
  });
}

/**
 * What the newest click can be said to have been instead.
 *
 * @param {Guess} guess
 */
function otherOf({ did, object }) {
  return did === "new" ? `No: part of object ${numberOf({ id: object })}` : "No: a new object";
}
