// Where the pointer rests, the click that it would make is previewed; the next move takes the preview away. A click
// that was previewed is answered without a prediction, so that what is likely to be pressed next is asked for early.

import { isInside, pixelOf, visibleBox } from "../geometry.js";
import { hasPixels, isOn } from "../masks.js";
import { pause } from "../queue.js";
import { onPicture } from "../stage.js";
import { canEdit, correction, correctsHere, keepApart, selectedObject } from "../store.js";

/** @import { Mask, Page } from "../page.js" */
/** @import { Point } from "../wire.js" */

// After how long a rest a preview is asked for, and from when on it is shown: a hand that aims rests for a tenth of a
// second or two before it presses, and a mask that flickers at every halt would be in its way.
const ASK_MS = 70;
const SHOW_MS = 150;
const CLICKS = new Set(["click", "box"]); // the tools whose press is a click

/** @param {Page} page */
export function bindHover({ store, stage, editor, api }) {
  let timer = 0;
  /** @type {AbortController | null} */
  let request = null;

  function forget() {
    clearTimeout(timer);
    request?.abort();
    request = null;
    if (store.state.preview || store.state.either) store.update({ preview: null, either: null });
  }

  /**
   * @param {Point} point
   * @param {boolean} positive
   */
  async function ask(point, positive) {
    const { document, view, viewport } = store.state;
    const { does, object } = editor.intent(point, positive);
    if (!document || does === "nothing" || does === "select") return;
    request = new AbortController();
    const { signal } = request;
    const { image } = document;
    const body = {
      revision: document.revision,
      object,
      region: visibleBox(view, document, viewport),
      keep_apart: keepApart(store.state),
    };
    const here = correctsHere(store.state, object);
    const shown = performance.now() + SHOW_MS - ASK_MS;
    /**
     * @param {boolean} only
     * @param {boolean} adds
     * @returns {Promise<Mask | null>}
     */
    async function seen(only, adds = positive) {
      const click = { x: point[0], y: point[1], positive: adds };
      const asked = { ...body, clicks: [click], ...correction(store.state, object, only) };
      const { mask } = await api.preview(image, asked, signal);
      return hasPixels(mask) ? mask : null;
    }
    const current = () => !signal.aborted && !editor.busy;
    try {
      const mask = await seen(here);
      await pause(shown - performance.now());
      if (!current()) return;
      store.update({ preview: { mask, object } });
      if (!object || object !== store.state.selected) return;
      // On the mask itself the next click mostly takes away: the server then has its answer, which nobody sees before.
      if (positive && isOn(store.state.masks[object], pixelOf(point))) await seen(here, false);
      if (!current()) return;
      const other = await seen(!here);
      if (current()) store.update({ either: here ? { here: mask, refit: other } : { here: other, refit: mask } });
    } catch {
      // A preview that doesn't come is none: overtaken, busy or away.
    }
  }

  /**
   * Whether a press would be a click for the network, at a place that it knows.
   *
   * @param {PointerEvent} event
   */
  function clicks(event) {
    const { tool, document, overlay, picking } = store.state;
    if (
      !document ||
      !CLICKS.has(tool) ||
      picking ||
      !overlay ||
      !canEdit(store.state) ||
      event.buttons ||
      event.shiftKey
    )
      return false;
    return isInside(document, stage.imagePoint(event));
  }

  /** @param {PointerEvent} event */
  function wanted(event) {
    const { previews, connection } = store.state;
    if (!previews || connection !== "ok" || editor.busy || selectedObject(store.state)?.locked) return false;
    return clicks(event);
  }

  stage.element.addEventListener("pointermove", (event) => {
    forget();
    const point = onPicture(event) && store.state.document ? stage.imagePoint(event) : null;
    const aims = point && event.pointerType !== "touch" && clicks(event);
    const intent = aims ? editor.intent(point, !event.altKey) : null;
    store.update({ pointer: point, intent, cursor: event.movementX || event.movementY ? null : store.state.cursor });
    if (event.pointerType !== "touch" && point && wanted(event)) {
      timer = setTimeout(() => !editor.busy && ask(point, !event.altKey), ASK_MS);
    }
  });
  stage.element.addEventListener("pointerdown", () => {
    forget();
    store.update({ intent: null }); // a press changes what the next one does
  });
  stage.element.addEventListener("pointerleave", () => {
    forget();
    store.update({ pointer: null, intent: null });
  });
  addEventListener("keydown", forget);
}
