// What is done to two objects at once: merged, one taken out of another; and one made into several.

import { objectOf, selectedObject } from "../store.js";

/** @import { About, Changes, Store } from "../page.js" */

const NAMES = { merge: "merge", subtract: "subtraction" };

/**
 * @param {Store} store
 * @param {Changes} changes
 * @param {About} about
 */
export function touchingActions(store, { change, onSelected, settle, follow }, { selection, say }) {
  /**
   * @param {"merge" | "subtract"} op
   * @param {(string | null)[]} others
   */
  function finish(op, others) {
    const { selected } = store.state;
    const ids = op === "merge" ? { objects: [selected, ...others] } : { object: selected, minus: others };
    change(NAMES[op], { op, ...ids }, { answered: follow });
  }

  return {
    /**
     * Asks for the other object: the next mask or row that is chosen is it. Of several that are chosen already, these.
     *
     * @param {"merge" | "subtract"} op
     */
    pick(op) {
      settle();
      const { chosen, document, selected } = store.state;
      if (chosen.length > 1) {
        return finish(
          op,
          chosen.filter((id) => id !== selected),
        );
      }
      if (!document || !selectedObject(store.state)) return say("Select an object first.");
      if (document.objects.length < 2) return say("There is no other object on this image.");
      store.update({ picking: store.state.picking === op ? null : op, preview: null, intent: null });
    },
    /**
     * Selects the object, or takes it as the other one that was asked for.
     *
     * @param {string | null} id
     */
    select(id) {
      settle();
      const { picking, selected } = store.state;
      store.update({ picking: null });
      if (picking && id && id !== selected && objectOf(store.state, selected)) finish(picking, [id]);
      else selection.select(id);
    },
    /** Each connected part becomes an object of its own. */
    splitParts() {
      onSelected("split", { op: "split" });
    },
  };
}
