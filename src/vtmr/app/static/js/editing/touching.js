// What is done to two objects at once: merged, one taken out of another; and one made into several.

import { objectOf, selectedObject } from "../store.js";

const NAMES = { merge: "merge", subtract: "subtraction" };

export function touchingActions(store, { change, onSelected, settle, follow }, { selection, say }) {
  function finish(op, others) {
    const { selected } = store.state;
    const ids = op === "merge" ? { objects: [selected, ...others] } : { object: selected, minus: others };
    change(NAMES[op], { op, ...ids }, { answered: follow });
  }

  return {
    /** Asks for the other object: the next mask or row that is chosen is it. Of several that are chosen already, these. */
    pick(op) {
      settle();
      const { chosen, selected } = store.state;
      if (chosen.length > 1) {
        return finish(
          op,
          chosen.filter((id) => id !== selected),
        );
      }
      if (!selectedObject(store.state)) return say("Select an object first.");
      if (store.state.document.objects.length < 2) return say("There is no other object on this image.");
      store.update({ picking: store.state.picking === op ? null : op, preview: null, intent: null });
    },
    /** Selects the object, or takes it as the other one that was asked for. */
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
