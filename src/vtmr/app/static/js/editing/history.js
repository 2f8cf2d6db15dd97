// Steps back and forth, and the image's acceptance.

import { canEdit } from "../store.js";

export function historyActions(store, { change, follow }, { images, documents, idle, say }) {
  return {
    undo: () => change("undo", { op: "undo" }, { answered: follow }),
    redo: () => change("redo", { op: "redo" }, { answered: follow }),
    /** Accepts the image, then goes on to the next one that isn't done. */
    async accept() {
      if (!canEdit(store.state)) return;
      const { document } = store.state;
      change("acceptance", { op: "done", done: document.state !== "done" });
      if (document.state === "done") return;
      await idle();
      if (store.state.document?.state !== "done" || store.state.document.image !== document.image) return;
      const next = images.neighbour(1, true);
      if (next) documents.open(next);
      else say("All images are done.");
    },
  };
}
