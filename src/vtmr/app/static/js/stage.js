// The stage: two canvases of the stage's size, painted at most once per frame, and the pointer events that reach the
// gestures.

import { drawingOn, inside } from "./dom.js";
import { fit, limited, snapped, toImage } from "./geometry.js";
import { createMaskLayer } from "./paint/masklayer.js";
import { paintOverlay } from "./paint/overlay.js";
import { createPhoto } from "./paint/photo.js";
import { createStrokeLayer } from "./paint/strokelayer.js";

/** @import { Api, Begin, Gesture, Page, Size, State, Store, View } from "./page.js" */
/** @import { Point } from "./wire.js" */

/** @type {(keyof State)[]} */
const VIEW_KEYS = ["view", "viewport"];
/** @type {(keyof State)[]} */
const OVERLAY_KEYS = [
  ...VIEW_KEYS,
  "document",
  "masks",
  "selected",
  "selectedClick",
  "chosen",
  "lit",
  "tool",
  "radius",
  "opacity",
  "overlay",
  "panning",
  "pointer",
  "cursor",
  "preview",
  "intent",
  "stroke",
  "drawn",
  "nudge",
  "picking",
  "dragged",
  "waiting",
  "label",
  "project",
  "colouring",
];

/** @typedef {{ clientX: number, clientY: number }} Place Of an event, in CSS pixels of the window. */

/**
 * @param {HTMLElement} element
 * @param {Store} store
 * @param {Api} api
 */
export function createStage(element, store, api) {
  const photoContext = contextOf(element, "#photo");
  const overlayContext = contextOf(element, "#overlay");
  const photo = createPhoto(photoContext, api, () => schedule(true, false));
  /** @type {{ left: number, top: number, outer: Size } | null} */
  let place = null; // of the stage in the window, CSS pixels, and the window's size then
  let pressed = false; // something was done on the open image
  const masks = createMaskLayer();
  const strokes = createStrokeLayer();
  let frame = 0;
  let stale = { photo: false, overlay: false };

  /**
   * @param {boolean} photoToo
   * @param {boolean} overlayToo
   */
  function schedule(photoToo, overlayToo) {
    stale = { photo: stale.photo || photoToo, overlay: stale.overlay || overlayToo };
    if (photoToo) store.update({ sharp: false }); // until it is painted
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      const { photo: paintsPhoto, overlay: paintsOverlay } = stale;
      stale = { photo: false, overlay: false };
      if (paintsPhoto) store.update({ sharp: photo.paint(store.state) });
      if (paintsOverlay) paintOverlay(overlayContext, store.state, masks, strokes);
    });
  }

  /**
   * Sets the view, kept within limits and on whole device pixels.
   *
   * @param {View} view
   * @param {Point} [anchor]
   */
  function look(view, anchor) {
    const { document, viewport } = store.state;
    if (!document) return;
    store.update({ view: snapped(limited(view, document, viewport, viewport.ratio, anchor), viewport.ratio) });
  }

  function lookAtAll() {
    const { document, viewport } = store.state;
    if (document) look(fit(document, viewport));
  }

  /**
   * Where a notice comes or goes while somebody works, the photo stays where it is on the screen: a press that was
   * begun in mind still lands where it was meant. Otherwise an image that is shown whole stays so.
   */
  function measure() {
    const { left, top, width, height } = element.getBoundingClientRect();
    const ratio = devicePixelRatio;
    for (const { canvas } of [photoContext, overlayContext]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const { viewport: before, view, document } = store.state;
    const [from, outer] = [place, { width: innerWidth, height: innerHeight }];
    place = { left, top, outer };
    const same = from?.outer.width === outer.width && from.outer.height === outer.height;
    const wasFitted = document && view.scale === fit(document, before).scale;
    store.update({ viewport: { width, height, ratio } });
    if (from && same && pressed) look({ ...view, x: view.x + from.left - left, y: view.y + from.top - top });
    else if (wasFitted) lookAtAll();
    else look({ ...view, x: view.x + (width - before.width) / 2, y: view.y + (height - before.height) / 2 });
  }

  new ResizeObserver(measure).observe(element);
  addEventListener("resize", measure); // a window that moves to a finer screen keeps its size in CSS pixels
  measure();
  for (const kind of ["pointerdown", "wheel", "keydown"]) {
    element.addEventListener(kind, () => (pressed = true), { capture: true, passive: true });
  }

  /** @type {string | null} */
  let shown = null;
  store.watch(["document", "window"], ({ document, window }) => {
    if (photo.show(document, window)) schedule(true, false);
    if (document && document.image !== shown) {
      lookAtAll();
      pressed = false;
    }
    shown = document?.image ?? null;
  });
  store.watch(VIEW_KEYS, () => schedule(true, false));
  store.watch(OVERLAY_KEYS, () => schedule(false, true));

  /**
   * @param {Place} event
   * @returns {Point}
   */
  const screenPoint = (event) => {
    const { left, top } = element.getBoundingClientRect();
    // A notice may have moved the stage since it was painted last: the press was meant where the photo was then.
    if (left !== place?.left || top !== place.top) measure();
    return [event.clientX - left, event.clientY - top];
  };
  return {
    element,
    look,
    lookAtAll,
    screenPoint,
    /** @param {Place} event */
    imagePoint: (event) => toImage(store.state.view, screenPoint(event)),
  };
}

/**
 * @param {HTMLElement} element
 * @param {string} selector
 */
function contextOf(element, selector) {
  return drawingOn(inside(element, selector, HTMLCanvasElement));
}

/**
 * Sends the events of mouse and pen to the gesture that the press begins. A gesture is a function of the pressing event
 * that answers null or what follows: {move(event), end(event), cancel()}, each optional.
 *
 * Escape takes back what isn't done with the press, and so does another image.
 *
 * @param {Page} page
 * @param {Begin} begin
 */
export function bindGestures({ store, stage }, begin) {
  const { element } = stage;
  /** @type {{ gesture: Gesture, pointerId: number } | null} */
  let current = null;
  /** @type {(how: "end" | "cancel") => (event: PointerEvent) => void} */
  const finish = (how) => (event) => {
    if (!current || event.pointerId !== current.pointerId) return;
    const { gesture } = current;
    current = null;
    gesture[how]?.(event);
  };
  function drop() {
    const gesture = current?.gesture;
    current = null;
    gesture?.cancel?.();
  }
  element.addEventListener("pointerdown", (event) => {
    if (current || event.pointerType === "touch" || !onPicture(event)) return; // fingers: gestures/touch.js
    element.focus({ preventScroll: true });
    const gesture = begin(event);
    if (!gesture) return;
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    current = { gesture, pointerId: event.pointerId };
  });
  element.addEventListener("pointermove", (event) => {
    if (current?.pointerId === event.pointerId) current.gesture.move?.(event);
  });
  store.watch(["imageId"], drop);
  const escape = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !current) return;
    event.stopImmediatePropagation(); // what else Escape does isn't meant
    drop();
  };
  addEventListener("keydown", escape, { capture: true });
  element.addEventListener("pointerup", finish("end"));
  element.addEventListener("pointercancel", finish("cancel"));
  element.addEventListener("contextmenu", (event) => event.preventDefault());
}

/**
 * The gesture that is the first one of several to want an event.
 *
 * @param {...Begin} gestures
 * @returns {Begin}
 */
export function first(...gestures) {
  return (event) => {
    for (const begin of gestures) {
      const gesture = begin(event);
      if (gesture) return gesture;
    }
    return null;
  };
}

/**
 * Buttons that float over the stage keep their own events.
 *
 * @param {Event} event
 */
export function onPicture(event) {
  return event.target instanceof Element && event.target.matches("#stage, #stage > canvas");
}
