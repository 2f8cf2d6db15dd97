// Where the pointer rests, the click that it would make is previewed; the next move takes the preview away.

import { isInside, visibleBox } from "../geometry.js";
import { hasPixels } from "../masks.js";
import { onPicture } from "../stage.js";
import { canEdit, correction, correctsHere, keepApart, selectedObject } from "../store.js";

/** @import { Mask, Page } from "../page.js" */
/** @import { Point } from "../wire.js" */

const REST_MS = 150;
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
    const body = {
      revision: document.revision,
      object,
      clicks: [{ x: point[0], y: point[1], positive }],
      region: visibleBox(view, document, viewport),
      keep_apart: keepApart(store.state),
    };
    const here = correctsHere(store.state, object);
    /** @param {boolean} only */
    const wayOf = (only) => correction(store.state, object, only);
    try {
      /**
       * @param {boolean} only
       * @returns {Promise<Mask | null>}
       */
      const seen = async (only) => {
        const { mask } = await api.preview(document.image, { ...body, ...wayOf(only) }, signal);
        return hasPixels(mask) ? mask : null;
      };
      const current = () => !signal.aborted && !editor.busy;
      const mask = await seen(here);
      if (!current()) return;
      store.update({ preview: { mask, object } });
      if (!object || object !== store.state.selected) return;
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
      timer = setTimeout(() => !editor.busy && ask(point, !event.altKey), REST_MS);
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
