// Several objects chosen at once: `chosen` in the state, of which `selected` is one; empty while one alone is meant.

import { objectOf } from "../store.js";

/** @import { Changes, Selection, Store } from "../page.js" */
/** @import { Fields } from "../wire.js" */

/**
 * @param {Store} store
 * @param {Changes} changes
 * @param {Selection} selection
 */
export function severalActions(store, { change }, selection) {
  /** @param {string[]} ids */
  function choose(ids) {
    const { selected } = store.state;
    store.update({ chosen: ids.length > 1 ? ids : [] });
    if (ids.length && !(selected && ids.includes(selected))) {
      selection.select(ids.at(-1) ?? null);
      store.update({ chosen: ids.length > 1 ? ids : [] });
    }
  }

  /** The chosen ones, or the selected one alone. */
  function meant() {
    const { chosen, selected } = store.state;
    if (chosen.length) return chosen;
    return selected ? [selected] : [];
  }

  /** @param {string} id */
  function toggleChosen(id) {
    const ids = meant();
    choose(ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]);
  }

  /**
   * Everything between the selected object and this one.
   *
   * @param {string} id
   */
  function chooseTo(id) {
    const { document, selected } = store.state;
    const ids = document?.objects.map((object) => object.id) ?? [];
    const [from, to] = [selected ? ids.indexOf(selected) : -1, ids.indexOf(id)];
    choose(from < 0 ? [id] : ids.slice(Math.min(from, to), Math.max(from, to) + 1));
  }

  /** Those that are gone aren't chosen any more; none are, once another object is selected. */
  function keepChosen() {
    const { chosen, selected } = store.state;
    if (!chosen.length) return;
    const left = selected && chosen.includes(selected) ? chosen.filter((id) => objectOf(store.state, id)) : [];
    if (left.length !== chosen.length) store.update({ chosen: left.length > 1 ? left : [] });
  }

  /**
   * A change of all of them.
   *
   * @param {string} name
   * @param {Fields} fields
   */
  const changeAll = (name, fields) => change(name, { ...fields, objects: store.state.chosen });

  return {
    choose,
    toggleChosen,
    chooseTo,
    keepChosen,
    changeAll,
    chooseAll: () => choose(store.state.document?.objects.map((object) => object.id) ?? []),
    /**
     * Hides or locks all of them, or shows or unlocks them where all are so.
     *
     * @param {"visible" | "locked"} key
     */
    flipChosen(key) {
      const objects = store.state.chosen.map((id) => objectOf(store.state, id));
      const value = key === "visible" ? !objects.some((one) => one?.visible) : objects.some((one) => !one?.locked);
      changeAll(key === "visible" ? "visibility" : "lock", { op: "set", [key]: value });
    },
  };
}
