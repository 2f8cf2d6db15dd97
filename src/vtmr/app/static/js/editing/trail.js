// Which object was selected before each change, so that undo brings the selection back as well.

/** @import { Mark } from "../page.js" */

const LONGEST = 200; // the server keeps as many steps

/** A mark is {selected, fresh}, as in the store. */
export function createTrail() {
  /** @type {Mark[]} */
  let back = [];
  /** @type {Mark[]} */
  let ahead = [];

  /**
   * @param {Mark[]} from
   * @param {Mark[]} to
   * @param {Mark} now
   */
  function step(from, to, now) {
    const mark = from.pop();
    if (mark) to.push(now);
    return mark ?? null;
  }

  return {
    /**
     * A change was made, of what was selected then.
     *
     * @param {Mark} before
     */
    made(before) {
      back = [...back, before].slice(-LONGEST);
      ahead = [];
    },
    /**
     * The mark before the change that was undone; null where it isn't known. `now`: the present one.
     *
     * @param {Mark} now
     */
    undone: (now) => step(back, ahead, now),
    /** @param {Mark} now */
    redone: (now) => step(ahead, back, now),
    /** What was done isn't known any more: another image, or somebody else's changes. */
    clear() {
      back = [];
      ahead = [];
    },
  };
}
