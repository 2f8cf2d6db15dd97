// Everything that a key does, in one table: the keyboard, the shortcut sheet and the buttons' titles read it.

import { byId } from "./dom.js";
import { actualSize, isInside, visibleBox, zoomBy, zoomToBox } from "./geometry.js";
import { objectAt } from "./intent.js";
import { keepApart, selectedObject } from "./store.js";
import { toggleTheme } from "./theme.js";

/** @import { Command, Editor, Mode, Page, Stage, Store, ToolId } from "./page.js" */
/** @import { Point } from "./wire.js" */

const RADIUS = { least: 1, most: 400, factor: 1.25 };
const ZOOM = 1.4;
const ARROWS = [
  { key: "ArrowLeft", dx: -1, dy: 0 },
  { key: "ArrowRight", dx: 1, dy: 0 },
  { key: "ArrowUp", dx: 0, dy: -1 },
  { key: "ArrowDown", dx: 0, dy: 1 },
];

const HELD = { control: "Ctrl", shift: "Shift", alt: "Alt" };

/**
 * The command's key as a reader knows it, with those held beside it.
 *
 * @param {Command} command
 */
export function keyText({ key = "", held = [] }) {
  return [...held.map((name) => HELD[name]), key.length === 1 ? key.toUpperCase() : key].join(" + ");
}

/**
 * `key` as KeyboardEvent.key; `held` are the modifiers that have to be down. A command without `name` isn't listed.
 *
 * @param {Omit<Page, "api" | "commands">} page
 * @returns {Command[]}
 */
export function createCommands({ store, stage, editor, dialogs }) {
  /** @returns {Point} */
  const middle = () => [store.state.viewport.width / 2, store.state.viewport.height / 2];
  /** @param {number} factor */
  const zoom = (factor) => () => stage.look(zoomBy(store.state.view, factor, middle()), middle());
  /** @param {ToolId} name */
  const hold = (name) => () => store.update({ tool: name, preview: null, intent: null, guess: null });
  /** @param {number} factor */
  const radius = (factor) => () => {
    const next = Math.min(Math.max(store.state.radius * factor, RADIUS.least), RADIUS.most);
    store.update({ radius: Math.round(next * 10) / 10 });
  };
  /** @param {"overlay" | "previews" | "refit" | "keepRest"} key */
  const toggle = (key) => () => store.update({ [key]: !store.state[key], preview: null });
  const colouring = () => store.update({ colouring: store.state.colouring === "label" ? "instance" : "label" });
  const keep = () => toggle(selectedObject(store.state)?.edited ? "refit" : "keepRest")();
  /** @param {number} by */
  const go = (by) => () => {
    const next = editor.neighbour(by);
    if (next) void editor.open(next);
  };
  /**
   * Of the chosen objects, or of the selected one alone.
   *
   * @param {"visible" | "locked"} key
   * @param {(id: string, value: boolean) => void} set
   */
  const flip = (key, set) => () => {
    const object = selectedObject(store.state);
    if (store.state.chosen.length) editor.flipChosen(key);
    else if (object) set(object.id, !object[key]);
  };
  /** @param {number} by */
  const walk = (by) => () => {
    const ids = store.state.document?.objects.map(({ id }) => id) ?? [];
    const at = ids.findIndex((id) => id === store.state.selected);
    if (ids.length) editor.select(ids[(at < 0 ? (by > 0 ? 0 : ids.length - 1) : at + by + ids.length) % ids.length]);
  };
  /** @param {"merge" | "subtract"} op */
  const pick = (op) => () => editor.pick(op);
  const toggleApart = () => editor.setKeepApart(!keepApart(store.state));
  /** @param {number} number */
  const label = (number) => () => {
    const name = store.state.project?.labels[number - 1];
    if (name) editor.setLabel(name);
  };

  return [
    {
      group: "Look",
      name: "Zoom in / out",
      key: "+",
      also: ["="],
      shown: ["+", "−", "wheel"],
      repeats: true,
      run: zoom(ZOOM),
    },
    { group: "Look", key: "-", repeats: true, run: zoom(1 / ZOOM) },
    { group: "Look", id: "fit", name: "Fit the image", key: "f", run: stage.lookAtAll },
    {
      group: "Look",
      id: "actual",
      name: "One image pixel per screen pixel",
      key: "g",
      run: () => stage.look(actualSize(store.state.view, middle(), store.state.viewport.ratio)),
    },
    { group: "Look", name: "Zoom to the object", key: "z", run: () => zoomToObject(store, stage) },
    { group: "Look", id: "overlay", name: "Hide or show all masks", key: "x", run: toggle("overlay") },
    {
      group: "Look",
      name: "Brightness, contrast, gamma, window",
      key: "i",
      run: () => byId("look-menu").togglePopover(),
    },
    {
      group: "Look",
      id: "colouring",
      name: "Colours by label or by object",
      key: "O",
      held: ["shift"],
      run: colouring,
    },
    { group: "Look", name: "Pan", shown: ["Space, middle drag", "Shift + wheel"] },

    { group: "Click", name: "Add to the object", shown: ["left click"] },
    { group: "Click", name: "Take away", shown: ["right click", "Alt + click"] },
    { group: "Click", name: "By finger: add, take away, zoom", shown: ["tap", "hold", "two"] },
    { group: "Click", name: "Move a click", shown: ["drag it"] },
    { group: "Click", name: "Crosshair by keyboard", shown: ["arrows", "Shift + arrows"] },
    { group: "Click", name: "Click at the crosshair / take away", shown: ["Enter", "Alt + Enter"] },
    { group: "Click", id: "keep", needs: "image", name: "Change only the part a click touches", key: "k", run: keep },
    { group: "Click", id: "previews", name: "Preview on rest", key: "p", run: toggle("previews") },

    { group: "Tools", id: "select", name: "Select masks", key: "v", tool: "select", run: hold("select") },
    { group: "Tools", id: "click", name: "Click", key: "c", tool: "click", run: hold("click") },
    { group: "Tools", id: "box", needs: "image", name: "Box", key: "b", tool: "box", run: hold("box") },
    {
      group: "Tools",
      id: "outline",
      needs: "image",
      name: "Lasso and polygon",
      key: "a",
      tool: "outline",
      run: hold("outline"),
    },
    {
      group: "Tools",
      id: "scribble",
      needs: "image",
      name: "Scribble",
      key: "w",
      tool: "scribble",
      run: hold("scribble"),
    },
    { group: "Tools", id: "brush", needs: "image", name: "Brush", key: "d", tool: "brush", run: hold("brush") },
    { group: "Tools", id: "eraser", needs: "image", name: "Eraser", key: "e", tool: "eraser", run: hold("eraser") },
    {
      group: "Tools",
      id: "cut",
      needs: "image",
      name: "Cut in two by a line",
      key: "t",
      tool: "cut",
      run: hold("cut"),
    },
    { group: "Tools", name: "Erase by hand", shown: ["right drag", "Alt + drag"] },
    { group: "Tools", name: "Close the polygon", shown: ["double click"] },
    { group: "Tools", name: "Corner at the crosshair / close", shown: ["Enter", "Shift + Enter"] },
    {
      group: "Tools",
      name: "Smaller / larger brush",
      key: "[",
      shown: ["[", "]"],
      repeats: true,
      run: radius(1 / RADIUS.factor),
    },
    { group: "Tools", key: "]", repeats: true, run: radius(RADIUS.factor) },
    {
      group: "Tools",
      id: "fill_holes",
      needs: "object",
      name: "Fill holes",
      key: "F",
      held: ["shift"],
      run: () => editor.refine("fill_holes"),
    },
    {
      group: "Tools",
      id: "drop_small",
      needs: "object",
      name: "Drop small parts",
      key: "P",
      held: ["shift"],
      run: () => editor.refine("drop_small"),
    },
    {
      group: "Tools",
      id: "smooth",
      needs: "object",
      name: "Smooth the outline",
      key: "S",
      held: ["shift"],
      run: () => editor.refine("smooth"),
    },

    {
      group: "Objects",
      id: "new",
      needs: "image",
      name: "New object",
      key: "n",
      run: () => beginObject(store, editor),
    },
    {
      group: "Objects",
      id: "over",
      needs: "image",
      name: "The last click was for the other object",
      key: "u",
      run: editor.moveOver,
    },
    {
      group: "Objects",
      id: "grow",
      needs: "object",
      name: "Grow / shrink",
      key: "G",
      held: ["shift"],
      shown: ["Shift + G", "Shift + D"],
      run: () => editor.grow(store.state.growBy),
    },
    {
      group: "Objects",
      id: "shrink",
      needs: "object",
      key: "D",
      held: ["shift"],
      run: () => editor.grow(-store.state.growBy),
    },
    { group: "Objects", name: "Move the mask (select tool)", shown: ["arrows", "drag"] },
    { group: "Objects", id: "merge", needs: "object", name: "Merge with another", key: "m", run: pick("merge") },
    {
      group: "Objects",
      id: "subtract",
      needs: "object",
      name: "Take another one's pixels out",
      key: "s",
      run: pick("subtract"),
    },
    { group: "Objects", id: "split", needs: "object", name: "Split into its parts", key: "o", run: editor.splitParts },
    { group: "Objects", id: "apart", name: "Keep objects apart", key: "q", run: toggleApart },
    { group: "Objects", name: "Label", shown: ["1 – 9"] },
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => ({ group: "Objects", key: String(number), run: label(number) })),
    { group: "Objects", name: "Select", shown: ["Shift + click"] },
    { group: "Objects", name: "Choose more in the list", shown: ["Ctrl + click", "Shift + click"] },
    { group: "Objects", name: "Choose all", key: "a", held: ["control"], run: editor.chooseAll },
    {
      group: "Objects",
      name: "Select the one below / above",
      key: ",",
      shown: [",", "."],
      repeats: true,
      run: walk(-1),
    },
    { group: "Objects", key: ".", repeats: true, run: walk(1) },
    { group: "Objects", id: "hide", name: "Hide or show", key: "h", run: flip("visible", editor.setVisible) },
    { group: "Objects", id: "lock", name: "Lock or unlock", key: "l", run: flip("locked", editor.setLocked) },
    {
      group: "Objects",
      id: "duplicate",
      needs: "object",
      name: "Duplicate",
      key: "d",
      held: ["control"],
      run: editor.duplicate,
    },
    {
      group: "Objects",
      id: "raise",
      needs: "object",
      name: "Move up / down",
      key: "ArrowUp",
      held: ["alt"],
      shown: ["Alt + ↑", "Alt + ↓"],
      run: () => editor.reorder(1),
    },
    { group: "Objects", id: "lower", needs: "object", key: "ArrowDown", held: ["alt"], run: () => editor.reorder(-1) },
    {
      group: "Objects",
      id: "remove",
      needs: "object",
      name: "Delete the object, or the chosen click",
      key: "Delete",
      also: ["Backspace"],
      run: () => remove(store, editor),
    },

    {
      group: "Image",
      id: "undo",
      name: "Undo",
      key: "z",
      held: ["control"],
      repeats: true,
      run: () => undo(store, editor),
    },
    { group: "Image", id: "redo", name: "Redo", key: "Z", held: ["control", "shift"], repeats: true, run: editor.redo },
    { group: "Image", key: "y", held: ["control"], repeats: true, run: editor.redo },
    { group: "Image", id: "review", needs: "image", name: "Mark for review, or not", key: "r", run: editor.review },
    {
      group: "Image",
      id: "accept",
      needs: "image",
      name: "Accept and go on",
      key: "Enter",
      held: ["control"],
      run: editor.accept,
    },
    {
      group: "Image",
      id: "previous",
      name: "Previous / next image",
      key: "PageUp",
      shown: ["PgUp", "PgDn"],
      repeats: true,
      run: go(-1),
    },
    { group: "Image", id: "next", key: "PageDown", repeats: true, run: go(1) },
    { group: "Image", name: "Search", key: "/", run: () => dialogs.search() },
    { group: "Image", id: "theme", name: "Light or dark", key: "T", held: ["shift"], run: toggleTheme },
    { group: "Image", id: "help", name: "This sheet", key: "?", run: () => dialogs.help() },
    {
      group: "Image",
      name: "End what is begun, then select nothing",
      key: "Escape",
      shown: ["Esc"],
      run: () => escape(store, editor),
    },
    ...ARROWS.map(
      ({ key, dx, dy }) =>
        /** @type {Command} */ ({
          key,
          where: "stage",
          repeats: true,
          run: (event) => arrow(store, editor, dx, dy, event.shiftKey),
        }),
    ),
    { key: "Enter", where: "stage", run: (event) => clickAtCursor(store, editor, !event.altKey, event.shiftKey) },
  ];
}

/**
 * @param {Store} store
 * @param {Stage} stage
 */
function zoomToObject({ state }, stage) {
  const box = state.selected && state.masks[state.selected]?.box;
  if (box) stage.look(zoomToBox(box, state.viewport));
}

/**
 * Takes back the last corner of what is being drawn, else the last change.
 *
 * @param {Store} store
 * @param {Editor} editor
 */
function undo({ state }, editor) {
  if (state.drawn) editor.dropCorner();
  else editor.undo();
}

/**
 * The next press begins an object; with a tool that can't begin one, by a click.
 *
 * @param {Store} store
 * @param {Editor} editor
 */
function beginObject(store, editor) {
  editor.selectNew();
  if (["select", "eraser", "cut"].includes(store.state.tool)) store.update({ tool: "click" });
}

/**
 * @param {Store} store
 * @param {Editor} editor
 */
function remove({ state }, editor) {
  if (state.drawn) return editor.dropCorner(); // what is being drawn lies before the object
  if (state.selectedClick === null) editor.remove();
  else editor.deleteClick(state.selectedClick);
}

/**
 * @param {Store} store
 * @param {Editor} editor
 */
function escape(store, editor) {
  const { preview, cursor, selectedClick, drawn, picking, chosen } = store.state;
  if (drawn || picking) store.update({ drawn: null, picking: null });
  else if (chosen.length) editor.choose([]);
  else if (preview || cursor || selectedClick !== null)
    store.update({ preview: null, cursor: null, selectedClick: null });
  else editor.select(null);
}

/**
 * Moves the selected mask while the select tool is held, else the crosshair.
 *
 * @param {Store} store
 * @param {Editor} editor
 * @param {number} dx
 * @param {number} dy
 * @param {boolean} far
 */
function arrow(store, editor, dx, dy, far) {
  if (store.state.tool !== "select" || !store.state.selected) return moveCursor(store, dx, dy, far);
  const step = far ? 10 : 1;
  editor.nudge(dx * step, dy * step);
}

/**
 * One image pixel, ten with Shift; never less than four screen pixels, so that it moves visibly when zoomed out.
 *
 * @param {Store} store
 * @param {number} dx
 * @param {number} dy
 * @param {boolean} far
 */
function moveCursor(store, dx, dy, far) {
  const { document, cursor, view, viewport } = store.state;
  if (!document) return;
  const box = visibleBox(view, document, viewport) ?? [0, 0, document.width, document.height];
  const from = cursor ?? [Math.floor((box[0] + box[2]) / 2) + 0.5, Math.floor((box[1] + box[3]) / 2) + 0.5];
  const step = Math.max(1, Math.round(4 / view.scale)) * (far ? 10 : 1);
  /**
   * @param {number} value
   * @param {number} most
   */
  const within = (value, most) => Math.min(Math.max(value, 0.5), most - 0.5);
  const moved = cursor ? [from[0] + dx * step, from[1] + dy * step] : from;
  store.update({ cursor: [within(moved[0], document.width), within(moved[1], document.height)], preview: null });
}

/**
 * A press at the crosshair with the tool in hand; `last` closes what is drawn corner by corner.
 *
 * @param {Store} store
 * @param {Editor} editor
 * @param {boolean} positive
 * @param {boolean} last
 */
function clickAtCursor(store, editor, positive, last) {
  const { cursor, document, drawn, tool, picking, radius, view, viewport } = store.state;
  if (!cursor && drawn?.kind === "outline") return editor.closeOutline();
  if (!cursor || !document || !isInside(document, cursor)) return;
  /** @type {Mode} */
  const mode = (tool === "eraser") === positive ? "erase" : "add";
  const stroke = { points: [cursor], radius, mode };
  if (picking || tool === "select") editor.select(objectAt(store.state, cursor)?.id ?? null);
  else if (tool === "click") editor.click(cursor, positive, visibleBox(view, document, viewport));
  else if (tool === "scribble") editor.scribble(stroke);
  else if (tool === "brush" || tool === "eraser") editor.brush(stroke);
  else editor.corner(cursor, last);
}
