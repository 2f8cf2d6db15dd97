// Buttons that stand for commands, sliders, readings: all of them show the state and change it, nothing more.

import { byId, el } from "../dom.js";
import { areaOf } from "../masks.js";
import { canEdit, selectedObject } from "../store.js";

const EDITS = [
  "new",
  "keep",
  "raise",
  "lower",
  "duplicate",
  "remove",
  "fill_holes",
  "drop_small",
  "smooth",
  "brush",
  "eraser",
  "accept",
];
const OF_OBJECT = ["raise", "lower", "duplicate", "remove", "fill_holes", "drop_small", "smooth"];
const HINTS = {
  new: "Click an object. Right-click takes away.",
  click: "Click what is missing, right-click what is too much.",
  brush: "Paint what belongs to the object. Alt erases.",
  eraser: "Paint over what doesn't belong. Alt adds.",
  edited: "A click changes only the part it touches. K: take the whole answer.",
  refit: "A click takes the network's whole answer. K: only the part it touches.",
  locked: "This object is locked.",
};
const LOGARITHM = Math.log(400) / 100; // the radius slider runs from 1 to 400 px in equal ratios

export function controls({ store, stage, commands }) {
  const byCommand = new Map();
  for (const button of document.querySelectorAll("[data-command]")) {
    const command = commands.find(({ id }) => id === button.dataset.command);
    byCommand.set(command.id, button);
    button.title = command.name
      ? `${command.name}${keysOf(command)}`
      : { lower: "Move down (Alt + ↓)", next: "Next image" }[command.id];
    if (command.id === "raise") button.title = "Move up (Alt + ↑)";
    if (!button.textContent.trim()) button.setAttribute("aria-label", button.title);
    button.addEventListener("click", (event) => {
      command.run(event);
      if (event.detail) stage.element.focus(); // the mouse goes on in the image, the keyboard stays where it is
    });
  }
  enabling(store, byCommand);
  pressing(store, byCommand);
  sliders(store);
  readings(store);
}

function keysOf({ key, held = [], shown }) {
  const names = { control: "Ctrl", shift: "Shift", alt: "Alt" };
  const keys = shown
    ? shown[0]
    : [...held.map((name) => names[name]), key.length === 1 ? key.toUpperCase() : key].join(" + ");
  return ` (${keys})`;
}

function enabling(store, buttons) {
  store.watch(["document", "project", "selected", "connection"], (state) => {
    const { document, selected } = state;
    const edits = canEdit(state);
    for (const id of EDITS) buttons.get(id).disabled = !edits || (OF_OBJECT.includes(id) && !selected);
    buttons.get("undo").disabled = !edits || !document.undo;
    buttons.get("redo").disabled = !edits || !document.redo;
    if (document?.undo) buttons.get("undo").title = `Undo: ${document.undo.replaceAll("_", " ")} (Ctrl + Z)`;
    if (document?.redo) buttons.get("redo").title = `Redo: ${document.redo.replaceAll("_", " ")} (Ctrl + Shift + Z)`;
    const done = document?.state === "done";
    const text = done ? "Take back into work" : "Accept";
    buttons.get("accept").replaceChildren(el("span", { text }), el("kbd", { text: "Ctrl ↵", "aria-hidden": "true" }));
    buttons.get("accept").classList.toggle("primary", !done);
  });
}

function pressing(store, buttons) {
  store.watch(["tool", "keepRest", "refit", "document", "selected"], (state) => {
    for (const tool of ["click", "brush", "eraser"]) buttons.get(tool).ariaPressed = String(state.tool === tool);
    const edited = selectedObject(state)?.edited ?? false; // then it is so unless a re-fit is asked for
    buttons.get("keep").ariaPressed = String(edited ? !state.refit : state.keepRest);
    byId("radius-options").hidden = state.tool === "click";
  });
}

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
  store.watch(["tool", "document", "selected", "project", "overlay", "masks", "refit"], (state) => {
    byId("hint").textContent = state.document && canEdit(state) ? hintFor(state) : "";
  });
}

function hintFor(state) {
  const object = selectedObject(state);
  if (!state.overlay) return "Masks are hidden. Press X to show them.";
  if (object?.locked) return HINTS.locked;
  if (state.tool !== "click") return HINTS[state.tool];
  if (!object) return HINTS.new;
  if (!object.edited || !areaOf(state.masks[object.id])) return HINTS.click;
  return state.refit ? HINTS.refit : HINTS.edited;
}
