// Which object is meant: the selected one, or the draft, the object that the next click begins.

import { createTrail } from "./trail.js";

/** @import { Mark, Store, Target } from "../page.js" */

/**
 * A draft is {id, coming}: the changes that go to it share it, so that the first one's answer names it for all.
 *
 * @param {Store} store
 */
export function createSelection(store) {
  let draft = newDraft();
  /** @type {Target | null} */
  let held = null; // the selected object as changes share it: where undo takes it, they make one anew

  /** @param {string | null} id */
  function select(id, fresh = false) {
    if (!id || id !== draft.id) draft = newDraft();
    store.update({ selected: id, fresh, selectedClick: null, preview: null, guess: null });
  }

  return {
    trail: createTrail(),
    get draft() {
      return draft;
    },
    /** Whether a click on its way is about to make the object that the next one goes to. */
    get coming() {
      return !store.state.selected && Boolean(draft.coming);
    },
    /** @param {string | null} id */
    select: (id) => select(id),
    /** The next click begins an object, whatever lies there. */
    selectNew: () => select(null, true),
    /**
     * The object that a change is for.
     *
     * @returns {Target}
     */
    target() {
      const { selected } = store.state;
      if (!selected) return draft;
      if (held?.id !== selected) held = { id: selected };
      return held;
    },
    /**
     * What is selected now, as it will be known when what is on its way is answered: a function.
     *
     * @returns {() => Mark}
     */
    mark() {
      const { selected, fresh, chosen } = store.state;
      const coming = draft.coming ? draft : null;
      return () => ({ selected: selected ?? coming?.id ?? null, fresh, chosen });
    },
    /** @param {Mark} mark */
    restore({ selected, fresh, chosen = [] }) {
      select(selected, fresh);
      store.update({ chosen }); // last: whoever selects another object chooses none
    },
    /**
     * The draft has become an object, for all changes that share it; it is selected, unless it was left meanwhile.
     *
     * @param {Target} target
     * @param {string | null} id
     */
    born(target, id) {
      if (target.id) return;
      target.id = id;
      if (target === draft) store.update({ selected: id, fresh: false });
    },
    /** Nothing comes of the draft: what was to make it is dropped, or its object is gone. */
    forget(target = draft) {
      if (target === draft) draft = newDraft();
    },
    /**
     * Goes on with an earlier draft, whose change is made after all.
     *
     * @param {Target} target
     */
    resume(target) {
      draft = target;
    },
  };
}

/** @returns {Target} */
function newDraft() {
  return { id: null, coming: false };
}
