// Buttons that stand for commands, sliders, readings: all of them show the state and change it, nothing more.

import { keyText } from "../commands.js";
import { byId, el } from "../dom.js";
import { canEdit, keepApart, selectedObject } from "../store.js";

/** @import { Command, Editor, Page, Store } from "../page.js" */

const STROKES = new Set(["brush", "eraser", "scribble"]);
/** @type {Record<string, string>} */
const TITLES = {
  raise: "Move up (Alt + ↑)",
  lower: "Move down (Alt + ↓)",
  next: "Next image",
  grow: "Grow (Shift + G)",
  shrink: "Shrink (Shift + D)",
};
const LOGARITHM = Math.log(400) / 100; // the radius slider runs from 1 to 400 px in equal ratios

/** @param {Page} page */
export function controls({ store, editor, stage, commands }) {
  /** @type {Shown[]} */
  const shown = [];
  for (const button of document.querySelectorAll("button")) {
    const id = button.dataset.command;
    const command = id && commands.find((candidate) => candidate.id === id);
    if (!command) continue;
    shown.push({ id, button, command });
    button.title = TITLES[id] ?? `${command.name}${keysOf(command)}`;
    if (!button.textContent.trim()) button.setAttribute("aria-label", button.title);
    button.addEventListener("click", (event) => {
      command.run?.(event);
      if (event.detail) stage.element.focus(); // the mouse goes on in the image, the keyboard stays where it is
    });
  }
  enabling(store, shown);
  pressing(store, shown);
  sliders(store);
  apartSwitch(store, editor);
  growth(store);
  readings(store);
}

/**
 * A command and the button that stands for it.
 *
 * @typedef {{ id: string, button: HTMLButtonElement, command: Command }} Shown
 */

/** @param {Command} command */
function keysOf(command) {
  return ` (${command.shown?.[0] ?? keyText(command)})`;
}

/**
 * By the command's id.
 *
 * @param {Shown[]} shown
 */
function buttonsOf(shown) {
  return Object.fromEntries(shown.map(({ id, button }) => [id, button]));
}

/**
 * @param {Store} store
 * @param {Shown[]} shown
 */
function enabling(store, shown) {
  const { undo, redo, accept, review } = buttonsOf(shown);
  store.watch(["document", "project", "selected", "connection", "accepted"], (state) => {
    const { document, selected } = state;
    const edits = canEdit(state);
    for (const { button, command } of shown) {
      if (command.needs) button.disabled = !edits || (command.needs === "object" && !selected);
    }
    undo.disabled = !edits || !(document?.undo || state.accepted);
    redo.disabled = !edits || !document?.redo;
    if (document?.undo) undo.title = `Undo: ${document.undo.replaceAll("_", " ")} (Ctrl + Z)`;
    if (document?.redo) redo.title = `Redo: ${document.redo.replaceAll("_", " ")} (Ctrl + Shift + Z)`;
    const done = document?.state === "done";
    const text = done ? "Take back into work" : "Accept";
    accept.replaceChildren(el("span", { text }), el("kbd", { text: "Ctrl ↵", "aria-hidden": "true" }));
    accept.classList.toggle("primary", !done);
    review.ariaPressed = String(document?.state === "review");
  });
}

/**
 * @param {Store} store
 * @param {Shown[]} shown
 */
function pressing(store, shown) {
  const { merge, subtract, colouring, keep } = buttonsOf(shown);
  store.watch(["picking"], ({ picking }) => {
    merge.ariaPressed = String(picking === "merge");
    subtract.ariaPressed = String(picking === "subtract");
  });
  store.watch(["tool", "keepRest", "refit", "document", "selected", "colouring"], (state) => {
    colouring.ariaPressed = String(state.colouring === "instance");
    for (const { button, command } of shown) if (command.tool) button.ariaPressed = String(state.tool === command.tool);
    const edited = selectedObject(state)?.edited ?? false; // then it is so unless a re-fit is asked for
    keep.ariaPressed = String(edited ? !state.refit : state.keepRest);
    byId("radius-options").hidden = !STROKES.has(state.tool);
  });
}

/**
 * @param {Store} store
 * @param {Editor} editor
 */
function apartSwitch(store, editor) {
  const box = byId("apart", HTMLInputElement);
  box.addEventListener("change", () => editor.setKeepApart(box.checked));
  store.watch(["project", "apart", "layers"], (state) => (box.checked = keepApart(state)));
}

/** @param {Store} store */
function growth(store) {
  const input = byId("grow-by", HTMLInputElement);
  input.addEventListener("change", () => {
    const pixels = Math.round(Number(input.value));
    store.update({ growBy: pixels >= 1 && pixels <= 500 ? pixels : store.state.growBy });
    input.value = String(store.state.growBy);
  });
  store.watch(["growBy"], ({ growBy }) => (input.value = String(growBy)));
}

/** @param {Store} store */
function sliders(store) {
  const [opacity, radius] = [byId("opacity", HTMLInputElement), byId("radius", HTMLInputElement)];
  opacity.addEventListener("input", () => store.update({ opacity: Number(opacity.value) / 100, overlay: true }));
  radius.addEventListener("input", () =>
    store.update({ radius: Math.round(10 * Math.exp(Number(radius.value) * LOGARITHM)) / 10 }),
  );
  store.watch(["opacity"], (state) => (opacity.value = String(Math.round(100 * state.opacity))));
  store.watch(["radius"], (state) => {
    radius.value = String(Math.log(state.radius) / LOGARITHM);
    byId("radius-text").textContent =
      `${state.radius.toLocaleString("en", { maximumFractionDigits: state.radius < 10 ? 1 : 0 })} px`;
  });
}

/** @param {Store} store */
function readings(store) {
  store.watch(["pointer", "cursor", "document"], ({ pointer, cursor, document }) => {
    const at = cursor ?? pointer;
    const inside = at && document && at[0] >= 0 && at[1] >= 0 && at[0] < document.width && at[1] < document.height;
    byId("reading-point").textContent = inside ? `${Math.floor(at[0])}, ${Math.floor(at[1])}` : "";
  });
  store.watch(["view", "viewport", "document"], ({ view, viewport, document }) => {
    byId("reading-zoom").textContent = document ? `${Math.round(100 * view.scale * viewport.ratio)} %` : "";
  });
  store.watch(["ms", "waiting"], ({ ms, waiting }) => {
    byId("reading-ms").textContent = waiting.length ? "…" : ms === null ? "" : `${Math.round(ms)} ms`;
  });
}
