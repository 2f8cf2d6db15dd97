// Steps back and forth, and the image's acceptance.

import { canEdit } from "../store.js";

/** @import { About, Answer, Changes, Delivery, Documents, Images, Mark, State, Store, Target } from "../page.js" */
/** @import { ImageDocument } from "../wire.js" */

const ACCEPTANCE = "accept"; // what undo takes back first of an accepted image: no step that changed an object

/** @typedef {Pick<About, "selection" | "say">} Told */
/** @typedef {{ selected: string | null, draft: Target | null }} Meant */
/** @typedef {Told & { images: Images, documents: Documents, delivery: Delivery }} Parts */

/**
 * @param {Store} store
 * @param {Changes} changes
 * @param {Parts} parts
 */
export function historyActions(store, { move, settle }, { images, documents, selection, delivery, say }) {
  const { trail } = selection;
  /** @returns {Meant} */
  const meantNow = () => ({
    selected: store.state.selected,
    draft: selection.coming ? selection.draft : null,
  });

  /**
   * Selects what was selected then; where that isn't known, the one object that looks different now.
   *
   * @param {Mark | null} mark
   * @param {Answer} answer
   * @param {Meant} meant when the step was asked for
   */
  function restored(mark, answer, { selected, draft }) {
    if (store.state.selected !== selected) return; // the user has chosen another one meanwhile
    if (selection.coming && selection.draft !== draft) return; // or begun one
    const changed = Object.keys(answer.masks);
    if (mark) selection.restore(mark);
    else if (changed.length === 1) selection.select(changed[0]);
  }

  /**
   * What only undone objects were called isn't the label of new ones either.
   *
   * @param {Answer} answer
   */
  function forgetLabel(answer) {
    const { label, document } = store.state;
    if (
      label &&
      document &&
      isIn(document, label) &&
      !isIn(answer.document, label) &&
      !answer.labels?.includes(label)
    ) {
      store.update({ label: null });
    }
  }

  /**
   * The image that was accepted before this one was opened is taken back into work.
   *
   * @param {string} image
   */
  async function takeBack(image) {
    await documents.open(image);
    const { document } = store.state;
    if (document?.image !== image || document.state !== "done") return;
    move("undo", { op: "undo" });
    say("The image is back in work: Accept was taken back.");
  }

  function undoLast() {
    const [present, meant] = [selection.mark(), meantNow()];
    move("undo", { op: "undo" }, (answer) => {
      forgetLabel(answer);
      if (store.state.document?.undo !== ACCEPTANCE) restored(trail.undone(present()), answer, meant);
    });
  }

  return {
    undo() {
      settle(); // what was moved last is what is undone
      const { accepted, document } = store.state;
      if (accepted && accepted !== document?.image) {
        void takeBack(accepted);
        return;
      }
      if (!delivery.takeBack(undoLast)) undoLast();
    },
    redo() {
      const [present, meant] = [selection.mark(), meantNow()];
      move("redo", { op: "redo" }, (answer) => restored(trail.redone(present()), answer, meant));
    },
    /** Accepts the image, then goes on to the next one that isn't done. */
    async accept() {
      if (!canEdit(store.state)) return;
      const { document } = store.state;
      settle();
      const done = delivery.busy || document.state !== "done"; // what is on its way takes it back into work
      move("acceptance", { op: "done", done });
      if (!done) return;
      await delivery.idle();
      settle();
      if (delivery.busy) return; // it is worked on again
      if (store.state.document?.state !== "done" || store.state.document.image !== document.image) return;
      store.update({ accepted: document.image });
      const next = images.neighbour(1, true);
      if (next) void documents.open(next);
      else say(allDone(store.state));
    },
    /** Marks the image for somebody to look at, or not any more. */
    review() {
      const { document } = store.state;
      if (document) move("review", { op: "review", review: document.state !== "review" });
    },
  };
}

/**
 * @param {ImageDocument} document
 * @param {string} label
 */
function isIn(document, label) {
  return document.objects.some((object) => object.label === label);
}

/** @param {State} state */
function allDone({ filter, search }) {
  return filter === "all" && !search ? "All images are done." : "All images of this list are done.";
}
