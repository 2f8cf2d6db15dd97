// Shift and a press selects the uppermost visible object there; beside all objects, none.

import { pixelOf } from "../geometry.js";
import { isOn } from "../masks.js";

export function choose({ store, stage, editor }) {
  return (event) => {
    const { document, masks } = store.state;
    if (event.button !== 0 || !event.shiftKey || !document) return null;
    const pixel = pixelOf(stage.imagePoint(event));
    const hit = document.objects.findLast((object) => object.visible && isOn(masks[object.id], pixel));
    editor.select(hit?.id ?? null);
    return {};
  };
}
