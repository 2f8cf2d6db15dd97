// A change of the open document, of the selected object, or of the one that it begins.

import { canEdit, keepApart, objectOf } from "../store.js";

/** @import { Answer, Change, ChangeOptions, Say, Selection, Store, Target } from "../page.js" */
/** @import { Fields } from "../wire.js" */

/**
 * @param {Store} store
 * @param {Selection} selection
 * @param {(change: Change) => void} push
 * @param {Say} say
 */
export function createChanges(store, selection, push, say) {
  /** @type {(() => void) | null} */
  let held = null; // sends a change that still gathers, before any other

  function settle() {
    const send = held;
    held = null;
    send?.();
  }

  /**
   * A change of the open document; without effect where nothing may be changed. `before`: what was selected then.
   *
   * @param {string} name
   * @param {Fields | null} fields
   * @param {ChangeOptions} [more]
   * @returns {Change | null} what is on its way from now on
   */
  function change(name, fields, more = {}) {
    settle();
    if (!canEdit(store.state)) return null;
    store.update({ accepted: null });
    const { answered, before = selection.mark(), ...rest } = more;
    /** @param {Answer} answer */
    const noted = (answer) => {
      if (answer.document.revision > (store.state.document?.revision ?? 0)) selection.trail.made(before());
      if (answer.notes.length) say(answer.notes.join(" "));
      answered?.(answer);
    };
    const { image } = store.state.document;
    /** @type {Change} */
    const made = { image, name, fields: () => fields ?? {}, ghost: null, answered: noted, ...rest };
    push(made);
    return made;
  }

  /**
   * A change that no step of the history is: undo, redo, acceptance.
   *
   * @param {string} name
   * @param {Fields} fields
   * @param {((answer: Answer) => void)} [answered]
   */
  function move(name, fields, answered) {
    settle();
    if (!canEdit(store.state)) return;
    store.update({ accepted: null });
    const kind = kindOf(fields);
    push({ image: store.state.document.image, name, fields: () => fields, ghost: null, answered, kind });
  }

  /**
   * A change of the mask of the selected object, or of the one that it begins.
   *
   * @param {string} name
   * @param {Fields} fields
   * @param {ChangeOptions} [more]
   */
  function onTarget(name, fields, more = {}) {
    settle();
    const { label } = store.state;
    const { answered, begins = true, ...rest } = more;
    const target = selection.target();
    const kept = { ...fields, keep_apart: keepApart(store.state) };
    change(name, null, {
      target,
      fields() {
        if (isGone(target)) {
          if (target.refused || !begins) return null;
          target.id = null; // gone meanwhile: what was clicked since is an object of its own
          if (!store.state.selected && !selection.coming) selection.resume(target);
        }
        return { ...kept, object: target.id, ...(target.id || !label ? {} : { label }) };
      },
      answered(answer) {
        selection.born(target, answer.object);
        answered?.(answer);
      },
      ...rest,
    });
    target.coming = true;
  }

  /**
   * A change of the selected object, or of the one that a click on its way is about to make.
   *
   * @param {string} name
   * @param {Fields} fields
   * @param {ChangeOptions} [more]
   */
  function onSelected(name, fields, more) {
    const { selected } = store.state;
    const target = selection.target();
    if (!selected && !target.coming) return;
    const made = { fields: () => (isGone(target) ? null : { ...fields, object: target.id }), target };
    change(name, null, { ...made, ...more });
  }

  /**
   * Whether the object that a change is for isn't there any more when its turn comes, or never came to be.
   *
   * @param {Target} target
   */
  const isGone = ({ id, refused }) => (id ? !objectOf(store.state, id) : Boolean(refused));

  /**
   * The same, of its mask.
   *
   * @param {string} name
   * @param {Fields} fields
   * @param {ChangeOptions} [more]
   */
  const onMask = (name, fields, more) => onSelected(name, { ...fields, keep_apart: keepApart(store.state) }, more);

  /**
   * For `answered`: selects the object that the change was about.
   *
   * @param {Answer} answer
   */
  const follow = (answer) => answer.object && store.update({ selected: answer.object });

  /**
   * Has `send` called before the next change, at the latest.
   *
   * @param {() => void} send
   */
  const hold = (send) => (held = send);

  return { change, move, onTarget, onSelected, onMask, follow, hold, settle };
}

/**
 * @param {Fields} fields
 * @returns {Change["kind"]}
 */
function kindOf({ op, done }) {
  if (op === "undo" || op === "redo") return op;
  return op === "done" && done ? "acceptance" : undefined;
}
