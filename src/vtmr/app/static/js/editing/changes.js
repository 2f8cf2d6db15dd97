// A change of the open document, of the selected object, or of the one that it begins.

import { canEdit } from "../store.js";

export function createChanges(store, selection, push) {
  /** A change of the open document; without effect where nothing may be changed. */
  function change(name, fields, more = {}) {
    if (!canEdit(store.state)) return;
    push({ image: store.state.document.image, name, fields: () => fields, ghost: null, ...more });
  }

  /** A change that goes to the selected object, or begins one. */
  function onTarget(name, fields, more = {}) {
    const { label, selected } = store.state;
    const target = selection.target();
    target.coming = true;
    change(name, null, {
      target: selected ? null : target,
      fields: () => ({ ...fields, object: target.id, ...(target.id || !label ? {} : { label }) }),
      answered: (answer) => selection.born(target, answer.object),
      ...more,
    });
  }

  /** A change of the selected object, or of the one that a click on its way is about to make. */
  function onSelected(name, fields, more) {
    const { selected } = store.state;
    const target = selection.target();
    if (selected || target.coming) change(name, null, { fields: () => ({ ...fields, object: target.id }), ...more });
  }

  /** For `answered`: selects the object that the change was about. */
  const follow = (answer) => answer.object && store.update({ selected: answer.object });

  return { change, onTarget, onSelected, follow };
}
