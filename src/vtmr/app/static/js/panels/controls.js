// Buttons that stand for commands, sliders, readings: all of them show the state and change it, nothing more.

import { byId, el } from "../dom.js";
import { canEdit, keepApart, selectedObject } from "../store.js";

/** @import { Command, Page, Store } from "../page.js" */

const STROKES = new Set(["brush", "eraser", "scribble"]);
const LOGARITHM = Math.log(400) / 100; // the radius slider runs from 1 to 400 px in equal ratios

/** @param {Page} page */
export function controls({ store, stage, commands }) {
  const byCommand = new Map(); // id → button
  const shown = new Map(); // id → command
  for (const button of document.querySelectorAll("[data-command]")) {
    const command = commands.find(({ id }) => id === button.dataset.command);
    byCommand.set(command.id, button);
    shown.set(command.id, command);
    button.title = command.name
      ? `${command.name}${keysOf(command)}`
      : { lower: "Move down (Alt + ↓)", next: "Next image", shrink: "Shrink (Shift + D)" }[command.id];
    if (command.id === "raise") button.title = "Move up (Alt + ↑)";
    if (command.id === "grow") button.title = "Grow (Shift + G)";
    if (!button.textContent.trim()) button.setAttribute("aria-label", button.title);
    button.addEventListener("click", (event) => {
      command.run(event);
      if (event.detail) stage.element.focus(); // the mouse goes on in the image, the keyboard stays where it is
    });
  }
  enabling(store, byCommand, shown);
  pressing(store, byCommand, shown);
  sliders(store);
  apartSwitch(store);
  growth(store);
  readings(store);
}

/** @param {Command} command */
function keysOf({ key, held = [], shown }) {
  const names = { control: "Ctrl", shift: "Shift", alt: "Alt" };
  const keys = shown
    ? shown[0]
    : [...held.map((name) => names[name]), key.length === 1 ? key.toUpperCase() : key].join(" + ");
  return ` (${keys})`;
}

/**
 * @param {Store} store
 * @param {Map<string, HTMLButtonElement>} buttons
 * @param {Map<string, Command>} commands
 */
function enabling(store, buttons, commands) {
  store.watch(["document", "project", "selected", "connection", "accepted"], (state) => {
    const { document, selected } = state;
    const edits = canEdit(state);
    for (const [id, { needs }] of commands) {
      if (needs) buttons.get(id).disabled = !edits || (needs === "object" && !selected);
    }
    buttons.get("undo").disabled = !edits || !(document.undo || state.accepted);
    buttons.get("redo").disabled = !edits || !document.redo;
    if (document?.undo) buttons.get("undo").title = `Undo: ${document.undo.replaceAll("_", " ")} (Ctrl + Z)`;
    if (document?.redo) buttons.get("redo").title = `Redo: ${document.redo.replaceAll("_", " ")} (Ctrl + Shift + Z)`;
    const done = document?.state === "done";
    const text = done ? "Take back into work" : "Accept";
    buttons.get("accept").replaceChildren(el("span", { text }), el("kbd", { text: "Ctrl ↵", "aria-hidden": "true" }));
    buttons.get("accept").classList.toggle("primary", !done);
    buttons.get("review").ariaPressed = String(document?.state === "review");
  });
}

/**
 * @param {Store} store
 * @param {Map<string, HTMLButtonElement>} buttons
 * @param {Map<string, Command>} commands
 */
function pressing(store, buttons, commands) {
  store.watch(["picking"], ({ picking }) => {
    for (const id of ["merge", "subtract"]) buttons.get(id).ariaPressed = String(picking === id);
  });
  store.watch(["tool", "keepRest", "refit", "document", "selected", "colouring"], (state) => {
    buttons.get("colouring").ariaPressed = String(state.colouring === "instance");
    for (const [id, { tool }] of commands) if (tool) buttons.get(id).ariaPressed = String(state.tool === tool);
    const edited = selectedObject(state)?.edited ?? false; // then it is so unless a re-fit is asked for
    buttons.get("keep").ariaPressed = String(edited ? !state.refit : state.keepRest);
    byId("radius-options").hidden = !STROKES.has(state.tool);
  });
}

/** @param {Store} store */
function apartSwitch(store) {
  const box = byId("apart");
  box.addEventListener("change", () => store.update({ apart: box.checked, preview: null }));
  store.watch(["apart", "layers"], (state) => (box.checked = keepApart(state)));
}

/** @param {Store} store */
function growth(store) {
  const input = byId("grow-by");
  input.addEventListener("change", () => {
    const pixels = Math.round(Number(input.value));
    store.update({ growBy: pixels >= 1 && pixels <= 500 ? pixels : store.state.growBy });
    input.value = store.state.growBy;
  });
  store.watch(["growBy"], ({ growBy }) => (input.value = growBy));
}

/** @param {Store} store */
function sliders(store) {
  const [opacity, radius] = [byId("opacity"), byId("radius")];
  opacity.addEventListener("input", () => store.update({ opacity: opacity.value / 100, overlay: true }));
  radius.addEventListener("input", () =>
    store.update({ radius: Math.round(10 * Math.exp(radius.value * LOGARITHM)) / 10 }),
  );
  store.watch(["opacity"], (state) => (opacity.value = Math.round(100 * state.opacity)));
  store.watch(["radius"], (state) => {
    radius.value = Math.log(state.radius) / LOGARITHM;
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
