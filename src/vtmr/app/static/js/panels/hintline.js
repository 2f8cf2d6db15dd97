// The line over the lower edge of the image: what a press does now, and how to go on with the next object.

import { byId } from "../dom.js";
import { hintFor } from "../hints.js";
import { canEdit } from "../store.js";

/** @import { Page, State } from "../page.js" */

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
];

/** @param {Page} page */
export function hintLine({ store, stage, editor, commands }) {
  const fingers = matchMedia("(pointer: coarse)");
  const begin = byId("hint-new");
  begin.addEventListener("click", (event) => {
    commands.find(({ id }) => id === "new")?.run?.(event);
    stage.element.focus();
  });
  byId("hint-stop").addEventListener("click", () => {
    editor.stopPlaying();
    stage.element.focus();
  });
  store.watch(KEYS, (state) => {
    const text = canEdit(state) ? hintFor(state, fingers.matches) : "";
    byId("hint").textContent = text;
    byId("hint-line").hidden = !text;
    byId("hint-stop").hidden = !state.playing;
    begin.hidden = !state.selected || Boolean(state.picking || state.playing);
  });
}
