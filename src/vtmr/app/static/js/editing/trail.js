// Which object was selected before each change, so that undo brings the selection back as well.

const LONGEST = 200; // the server keeps as many steps

/** A mark is {selected, fresh}, as in the store. */
export function createTrail() {
  let back = [];
  let ahead = [];

  function step(from, to, now) {
    const mark = from.pop();
    if (mark) to.push(now);
    return mark ?? null;
  }

  return {
    /** A change was made, of what was selected then. */
    made(before) {
      back = [...back, before].slice(-LONGEST);
      ahead = [];
    },
    /** The mark before the change that was undone; null where it isn't known. `now`: the present one. */
    undone: (now) => step(back, ahead, now),
    redone: (now) => step(ahead, back, now),
    /** What was done isn't known any more: another image, or somebody else's changes. */
    clear() {
      back = [];
      ahead = [];
    },
  };
}
