// Steps back and forth, and the image's acceptance.

import { canEdit } from "../store.js";

const ACCEPTANCE = "accept"; // what undo takes back first of an accepted image: no step that changed an object

export function historyActions(store, { move }, { images, documents, selection, idle, say }) {
  const { trail } = selection;

  /** Selects what was selected then; where that isn't known, the one object that looks different now. */
  function restored(mark, answer, selected) {
    if (store.state.selected !== selected) return; // the user has chosen another one meanwhile
    const changed = Object.keys(answer.masks);
    if (mark) selection.restore(mark);
    else if (changed.length === 1) selection.select(changed[0]);
  }

  return {
    undo() {
      const [present, { selected }] = [selection.mark(), store.state];
      move("undo", { op: "undo" }, (answer) => {
        if (store.state.document.undo !== ACCEPTANCE) restored(trail.undone(present()), answer, selected);
      });
    },
    redo() {
      const [present, { selected }] = [selection.mark(), store.state];
      move("redo", { op: "redo" }, (answer) => restored(trail.redone(present()), answer, selected));
    },
    /** Accepts the image, then goes on to the next one that isn't done. */
    async accept() {
      if (!canEdit(store.state)) return;
      const { document } = store.state;
      move("acceptance", { op: "done", done: document.state !== "done" });
      if (document.state === "done") return;
      await idle();
      if (store.state.document?.state !== "done" || store.state.document.image !== document.image) return;
      const next = images.neighbour(1, true);
      if (next) documents.open(next);
      else say("All images are done.");
    },
  };
}
