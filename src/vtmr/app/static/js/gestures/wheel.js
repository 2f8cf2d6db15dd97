// The wheel zooms at the pointer; on a touchpad two fingers pan with Shift held and a pinch zooms.

import { panBy, zoomBy } from "../geometry.js";
import { onPicture } from "../stage.js";

/** @import { Page } from "../page.js" */

const PER_PIXEL = 0.0016; // of the logarithm of scale: a notch of 120 px is about a fifth
const LINE = 18; // px, for wheels that count in lines

/** @param {Page} page */
export function bindWheel({ store, stage }) {
  stage.element.addEventListener(
    "wheel",
    (event) => {
      if (!onPicture(event)) return;
      event.preventDefault();
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : 1;
      const { view } = store.state;
      const anchor = stage.screenPoint(event);
      if (event.shiftKey)
        stage.look(panBy(view, -unit * (event.deltaX || event.deltaY), event.deltaX ? -unit * event.deltaY : 0));
      else
        stage.look(zoomBy(view, Math.exp(-unit * event.deltaY * PER_PIXEL * (event.ctrlKey ? 5 : 1)), anchor), anchor);
    },
    { passive: false },
  );
}
