// Clicks that are moved and deleted: gathered until the server has answered, so that the others are played again once.

import { keepApart } from "../store.js";

/** @import { About, Change, Changes, Delivery, Store } from "../page.js" */
/** @import { Point } from "../wire.js" */

/** @typedef {Map<number, Point | null>} Places Where clicks are moved to, by their index; null: deleted. */
/** @typedef {{ object: string, places: Places, sent: Places, change: Change | null }} Gathered */

/**
 * @param {Store} store
 * @param {Changes} changes
 * @param {Delivery} delivery
 * @param {About} about
 */
export function clickEdits(store, { change, settle }, delivery, { clock }) {
  /** @type {Map<string, Gathered>} */
  const last = new Map(); // by object

  /**
   * @param {string} object
   * @param {number} index
   * @param {Point | null} place
   */
  function edit(object, index, place) {
    settle();
    const known = last.get(object);
    if (known?.change && delivery.isOnItsWay(known.change)) {
      known.places = new Map([...known.places, [index, place]]);
      known.change.ghost = ghostOf(known);
      delivery.again(known.change); // what was sent is out of date
    } else begin(object, new Map([[index, place]]));
  }

  /**
   * @param {string} object
   * @param {Places} places
   */
  function begin(object, places) {
    /** @type {Gathered} */
    const gathered = { object, places, sent: new Map(), change: null };
    gathered.change = change("edited clicks", null, {
      fields() {
        gathered.sent = gathered.places;
        return { op: "edit_clicks", object, edits: editsOf(gathered.places), keep_apart: keepApart(store.state) };
      },
      answered: () => goOn(gathered),
      ghost: ghostOf(gathered),
      withdraws: true,
      timed: true,
      begun: clock(),
    });
    last.set(object, gathered);
  }

  /**
   * What came too late for what was sent, for the clicks that there are now.
   *
   * @param {Gathered} gathered
   */
  function goOn(gathered) {
    const { object, places, sent } = gathered;
    if (last.get(object) === gathered) last.delete(object);
    const gone = [...sent].flatMap(([index, place]) => (place ? [] : index));
    const late = [...places].filter(([index, place]) => sent.get(index) !== place && !gone.includes(index));
    if (!late.length) return;
    /** @param {number} index */
    const indexNow = (index) => index - gone.filter((other) => other < index).length;
    begin(object, new Map(late.map(([index, place]) => [indexNow(index), place])));
  }

  return {
    /**
     * @param {string} object
     * @param {number} index
     * @param {Point} point
     */
    moveClick: (object, index, point) => edit(object, index, point),
    /** @param {number} index */
    deleteClick(index) {
      const { selected } = store.state;
      store.update({ selectedClick: null });
      if (selected) edit(selected, index, null);
    },
  };
}

/** @param {Gathered} gathered */
function ghostOf({ object, places }) {
  return { edits: { object, places } };
}

/** @param {Places} places */
function editsOf(places) {
  return [...places].map(([index, place]) => (place ? { index, x: place[0], y: place[1] } : { index, delete: true }));
}
