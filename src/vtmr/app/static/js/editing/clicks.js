// Clicks for the network: what one does depends on where it lands (intent.js).

import { intentOf } from "../intent.js";
import { howToCorrect, objectOf } from "../store.js";

/** @import { About, Changes, Mark, Store } from "../page.js" */
/** @import { Box, Point } from "../wire.js" */

const NOTHING_SELECTED = "Nothing is selected to take away from: click an object first.";

/**
 * @param {Store} store
 * @param {Changes} changes
 * @param {About} about
 */
export function clickActions(store, { onTarget }, { selection, say, clock }) {
  /**
   * @param {Point} point
   * @param {boolean} positive
   * @param {Box | null} region
   * @param {() => Mark} before
   */
  function send(point, positive, region, before) {
    const click = { x: point[0], y: point[1], positive };
    const fields = { op: "click", clicks: [click], region, ...howToCorrect(store.state) };
    onTarget("click", fields, { ghost: { clicks: [click] }, timed: true, begun: clock(), before });
  }

  /**
   * What a click at that image point would do now.
   *
   * @param {Point} point
   * @param {boolean} positive
   */
  const intent = (point, positive) => intentOf(store.state, point, positive, selection.coming);

  return {
    intent,
    /**
     * region: the visible box of the image.
     *
     * @param {Point} point
     * @param {boolean} positive
     * @param {Box | null} region
     */
    click(point, positive, region) {
      const { does, object } = intent(point, positive);
      if (does === "nothing") return say(NOTHING_SELECTED);
      if (does === "select") return selection.select(object);
      const before = selection.mark();
      if (does === "new" && store.state.selected) selection.selectNew();
      send(point, positive, region, before);
    },
    /**
     * Chooses a way of correcting for the selected object: "here" or "refit".
     *
     * @param {"here" | "refit"} way
     */
    correct(way) {
      const edited = objectOf(store.state, store.state.selected)?.edited;
      store.update({ ...(edited ? { refit: way === "refit" } : { keepRest: way === "here" }), preview: null });
    },
  };
}
