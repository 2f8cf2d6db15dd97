// The uppermost object under the pointer is lit, in the photo and in the list.

import { pixelOf } from "../geometry.js";
import { isOn } from "../masks.js";

/** @import { Page } from "../page.js" */

/** @param {Page} page */
export function bindLight({ store }) {
  store.watch(["pointer"], ({ pointer, document, masks, stroke, overlay, lit }) => {
    const pixel = pointer && overlay && !stroke ? pixelOf(pointer) : null;
    const hit = pixel && document?.objects.findLast((object) => object.visible && isOn(masks[object.id], pixel));
    const id = hit?.id ?? null;
    if (id !== lit) store.update({ lit: id });
  });
}
