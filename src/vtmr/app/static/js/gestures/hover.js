// Where the pointer rests, the click that it would make is previewed; the next move takes the preview away.

import { isInside, visibleBox } from "../geometry.js";
import { onPicture } from "../stage.js";
import { canEdit, howToCorrect, selectedObject } from "../store.js";

const REST_MS = 150;

export function bindHover({ store, stage, editor, api }) {
  let timer = 0;
  let request = null;

  function forget() {
    clearTimeout(timer);
    request?.abort();
    request = null;
    if (store.state.preview) store.update({ preview: null });
  }

  async function ask(point, positive) {
    const { document, view, viewport, selected } = store.state;
    request = new AbortController();
    const { signal } = request;
    const body = {
      revision: document.revision,
      object: selected,
      clicks: [{ x: point[0], y: point[1], positive }],
      region: visibleBox(view, document, viewport),
      ...howToCorrect(store.state),
    };
    try {
      const { mask } = await api.preview(document.image, body, signal);
      if (!signal.aborted && !editor.busy) store.update({ preview: { mask: mask.box ? mask : null } });
    } catch {
      // A preview that doesn't come is none: overtaken, busy or away.
    }
  }

  function wanted(event) {
    const { tool, previews, document, connection, overlay } = store.state;
    if (tool !== "click" || !previews || !overlay || connection !== "ok" || !canEdit(store.state)) return false;
    if (event.buttons || event.shiftKey || editor.busy || selectedObject(store.state)?.locked) return false;
    return isInside(document, stage.imagePoint(event));
  }

  stage.element.addEventListener("pointermove", (event) => {
    forget();
    const point = onPicture(event) && store.state.document ? stage.imagePoint(event) : null;
    store.update({ pointer: point, cursor: event.movementX || event.movementY ? null : store.state.cursor });
    if (event.pointerType === "mouse" && point && wanted(event)) {
      timer = setTimeout(() => !editor.busy && ask(point, !event.altKey), REST_MS);
    }
  });
  stage.element.addEventListener("pointerdown", forget);
  stage.element.addEventListener("pointerleave", () => {
    forget();
    store.update({ pointer: null });
  });
  addEventListener("keydown", forget);
}
