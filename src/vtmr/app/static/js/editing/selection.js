// Which object is meant: the selected one, or the draft, the object that the next click begins.

/** A draft is {id, coming}: the changes that go to it share it, so that the first one's answer names it for all. */
export function createSelection(store) {
  let draft = newDraft();

  return {
    get draft() {
      return draft;
    },
    select(id) {
      if (!id || id !== draft.id) draft = newDraft();
      store.update({ selected: id, selectedClick: null, preview: null });
    },
    /** The object that a change is for: {id}. */
    target() {
      const { selected } = store.state;
      return selected ? { id: selected } : draft;
    },
    /** The draft has become an object. */
    born(target, id) {
      if (target !== draft || target.id) return;
      target.id = id;
      store.update({ selected: id });
    },
    /** Nothing comes of the draft: what was to make it is dropped, or its object is gone. */
    forget() {
      draft = newDraft();
    },
    /** Goes on with an earlier draft, whose change is made after all. */
    resume(target) {
      draft = target;
    },
  };
}

function newDraft() {
  return { id: null, coming: false };
}
