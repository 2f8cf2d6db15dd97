// Clicks for the network: what one does depends on where it lands (intent.js).

import { intentOf, isDoubtful } from "../intent.js";
import { howToCorrect, objectOf } from "../store.js";

/** @import { About, Answer, Changes, Guess, Intent, Mark, Store } from "../page.js" */
/** @import { Box, Point } from "../wire.js" */

const NOTHING_SELECTED = "Nothing is selected to take away from: click an object first.";

/**
 * @param {Store} store
 * @param {Changes} changes
 * @param {About} about
 */
export function clickActions(store, { move, onTarget }, { selection, say, clock }) {
  /**
   * @param {Point} point
   * @param {boolean} positive
   * @param {Box | null} region
   * @param {() => Mark} before
   * @param {Guess | null} [guess]
   */
  function send(point, positive, region, before, guess = null) {
    const click = { x: point[0], y: point[1], positive };
    const fields = { op: "click", clicks: [click], region, ...howToCorrect(store.state) };
    /** @param {Answer} answer */
    const answered = (answer) => guess && confirm(guess, answer);
    const ghost = { clicks: [click] };
    onTarget("click", fields, { ghost, timed: true, begun: clock(), before, answered, begins: positive });
    store.update({ guess });
  }

  /**
   * @param {Guess} guess
   * @param {Answer} answer
   */
  function confirm(guess, answer) {
    if (store.state.guess !== guess) return; // something else was done since
    const made = answer.document.revision > (store.state.document?.revision ?? 0);
    store.update({ guess: made ? { ...guess, made } : null });
  }

  /**
   * Of a click whose place alone tells which object it is for, before it is made.
   *
   * @param {Intent["does"]} does
   * @param {Point} point
   * @param {Box | null} region
   * @returns {Guess | null}
   */
  function guessOf(does, point, region) {
    const { selected } = store.state;
    if (!selected || (does !== "new" && does !== "add") || !isDoubtful(store.state, point)) return null;
    return { did: does, object: selected, point, region, made: false };
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
      const [before, guess] = [selection.mark(), guessOf(does, point, region)];
      if (does === "new" && store.state.selected) selection.selectNew();
      send(point, positive, region, before, guess);
    },
    /** The newest click was for the other object: it is taken back, and made there. */
    moveOver() {
      const { guess } = store.state;
      if (!guess?.made) return;
      const present = selection.mark();
      move("undo", { op: "undo" }, () => selection.trail.undone(present()));
      if (guess.did === "new") selection.select(guess.object);
      else selection.selectNew();
      send(guess.point, true, guess.region, () => ({ selected: guess.object, fresh: false }));
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
