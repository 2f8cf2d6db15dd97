// The objects of the open image, the uppermost first: numbered, one or several of them chosen.

import { byId, drawingOn, el, icon, swatch } from "../dom.js";
import { areaOf } from "../masks.js";
import { tracedPath } from "../paint/maskcache.js";
import { colourOfObject, numberOf } from "../palette.js";
import { canEdit } from "../store.js";
import { counted } from "./images.js";
import { createVirtualList } from "./virtuallist.js";

/** @import { Editor, Mask, ObjectRow, Page, State, VirtualList } from "../page.js" */
/** @import { AnnotatedObject } from "../wire.js" */

/** @type {(keyof ObjectRow)[]} */
const KEYS = ["object", "mask", "colour", "selected", "chosen", "editable"];
const THUMB = 40;
const HOW_TO_CHOOSE = "Ctrl + click chooses several, Shift + click all between";
const HEIGHT = 54; // CSS pixels, as in css/lists.css

/** @typedef {WeakMap<Mask, { colour: string, canvas: HTMLCanvasElement }>} Thumbs */
/** @typedef {Pick<Page, "store" | "editor"> & { thumbs: Thumbs }} Parts */

/** @param {Page} page */
export function objectsPanel({ store, editor }) {
  const list = byId("object-list");
  /** @type {Thumbs} */
  const thumbs = new WeakMap();
  /** @type {VirtualList<ObjectRow>} */
  const rows = createVirtualList(list, {
    keyOf: (row) => row.object.id,
    isSame: (before, now) => KEYS.every((key) => before[key] === now[key]),
    heightOf: () => HEIGHT,
    draw: (row) => drawRow(row, { store, editor, thumbs }),
    painted: (drawn) => markLit(drawn, store.state.lit),
  });

  store.watch(["document", "masks", "selected", "chosen", "project", "connection", "colouring"], (state) => {
    const objects = state.document?.objects ?? [];
    byId("object-count").textContent = objects.length ? counted(objects.length, "object") : "Objects";
    byId("no-objects").hidden = !state.document || objects.length > 0;
    rows.show(objects.toReversed().map((object) => rowOf(object, state)));
  });
  store.watch(["selected", "document"], ({ selected }) => rows.reveal(selected));
  store.watch(["lit"], () => rows.paint());
  store.watch(["document", "selected"], () => editor.keepChosen());
}

/**
 * On a phone the objects come up over the image and go again.
 *
 * @param {Page} page
 */
export function objectsDrawer({ store }) {
  const button = byId("objects-drawer");
  /** @param {boolean} open */
  const set = (open) => {
    byId("objects").classList.toggle("open", open);
    button.ariaExpanded = String(open);
  };
  button.addEventListener("click", () => set(button.ariaExpanded !== "true"));
  byId("stage").addEventListener("pointerdown", () => set(false));
  store.watch(["document"], ({ document }) => {
    button.textContent = document?.objects.length ? counted(document.objects.length, "object") : "Objects";
  });
}

/**
 * What a row shows, as plain values: it is drawn anew when one of them changes.
 *
 * @param {AnnotatedObject} object
 * @param {State} state
 * @returns {ObjectRow}
 */
function rowOf(object, state) {
  return {
    object,
    mask: state.masks[object.id] ?? null,
    colour: colourOfObject(object, state),
    selected: object.id === state.selected,
    chosen: state.chosen.includes(object.id),
    editable: canEdit(state),
  };
}

/**
 * @param {ObjectRow} row
 * @param {Parts} parts
 */
function drawRow({ object, mask, colour, selected, chosen, editable }, { store, editor, thumbs }) {
  /**
   * @param {string} name
   * @param {string} text
   * @param {boolean} pressed
   * @param {() => void} run
   */
  const button = (name, text, pressed, run) =>
    el(
      "button",
      {
        class: "bare small",
        title: text,
        "aria-label": text,
        "aria-pressed": String(pressed),
        disabled: !editable,
        onclick: run,
      },
      icon(name),
    );
  const states = [selected && "current", chosen && "chosen", !object.visible && "hides"].filter(Boolean);
  const picked = {
    class: "pick what",
    "aria-pressed": String(selected || chosen),
    title: `${named(object)}\n${about(object, mask, true).join("")}\n${HOW_TO_CHOOSE}`,
    /** @param {MouseEvent} event */
    onclick: (event) => pick(event, object.id, editor),
  };
  const name = el("span", { class: "name" }, swatch(colour), el("span", { text: named(object) }));
  const item = el(
    "li",
    { class: ["row", ...states].join(" "), dataset: { object: object.id } },
    thumb(object, mask, colour, thumbs),
    el("button", picked, name, el("span", { class: "about" }, ...about(object, mask, false).map(part))),
    button(object.visible ? "eye" : "eye-off", object.visible ? "Hide" : "Show", !object.visible, () =>
      editor.setVisible(object.id, !object.visible),
    ),
    button(object.locked ? "lock" : "unlock", object.locked ? "Unlock" : "Lock", object.locked, () =>
      editor.setLocked(object.id, !object.locked),
    ),
  );
  item.addEventListener("pointerenter", () => store.update({ lit: object.id }));
  item.addEventListener("pointerleave", () => store.update({ lit: null }));
  return item;
}

/**
 * @param {MouseEvent} event
 * @param {string} id
 * @param {Editor} editor
 */
function pick(event, id, editor) {
  if (event.ctrlKey || event.metaKey) editor.toggleChosen(id);
  else if (event.shiftKey) editor.chooseTo(id);
  else editor.select(id);
}

/** @param {AnnotatedObject} object */
function named(object) {
  return object.label || "no label";
}

/**
 * What is said of an object: all of it, or as much as fits into the line below its name.
 *
 * @param {AnnotatedObject} object
 * @param {Mask | null} mask
 * @param {boolean} whole
 */
function about({ clicks, note }, mask, whole) {
  const area = areaOf(mask);
  const short = !whole && area >= 100_000; // all digits of a large number would take a line of their own
  const parts = [mask ? `${area.toLocaleString("en", short ? { notation: "compact" } : {})} px` : "empty"];
  if (clicks.length && (whole || !note)) parts.push(counted(clicks.length, "click"));
  if (note) parts.push("note");
  return parts.map((said, i) => (i ? ` · ${said}` : said));
}

/**
 * So that what doesn't fit is left out as a whole.
 *
 * @param {string} said
 */
function part(said) {
  return el("span", { text: said });
}

/**
 * @param {AnnotatedObject} object
 * @param {Mask | null} mask
 * @param {string} colour
 * @param {Thumbs} thumbs
 */
function thumb(object, mask, colour, thumbs) {
  const number = el("span", { class: "number", text: String(numberOf(object)), "aria-hidden": "true" });
  return el("span", { class: "thumb mask" }, mask ? drawnOnce(mask, colour, thumbs) : null, number);
}

/**
 * @param {Mask} mask
 * @param {string} colour
 * @param {Thumbs} thumbs
 */
function drawnOnce(mask, colour, thumbs) {
  const known = thumbs.get(mask);
  if (known?.colour === colour && !known.canvas.isConnected) return known.canvas;
  const canvas = drawThumb(mask, colour);
  thumbs.set(mask, { colour, canvas });
  return canvas;
}

/**
 * @param {Mask} mask
 * @param {string} colour
 */
function drawThumb(mask, colour) {
  const [x0, y0, x1, y1] = mask.box;
  const longest = Math.max(x1 - x0, y1 - y0);
  const room = (THUMB - 8) * devicePixelRatio;
  const side = THUMB * devicePixelRatio;
  const scale = room / longest;
  const canvas = el("canvas", { width: side, height: side });
  const context = drawingOn(canvas);
  context.translate(side / 2, side / 2);
  context.scale(scale, scale);
  context.translate(-(x0 + x1) / 2, -(y0 + y1) / 2);
  context.fillStyle = colour;
  context.fill(tracedPath(mask, mask.box, Math.max(1, Math.floor(longest / room / 2))));
  return canvas;
}

/**
 * The row of the object that the pointer is on, here or in the photo.
 *
 * @param {{ row: ObjectRow, element: HTMLElement }[]} drawn
 * @param {string | null} lit
 */
function markLit(drawn, lit) {
  for (const { row, element } of drawn) element.classList.toggle("lit", row.object.id === lit);
}
