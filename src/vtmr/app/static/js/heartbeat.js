// Asks now and then whether the server is still there, and still the same one: a page that nobody works in tells it,
// too.

/** @import { Page } from "./page.js" */

const EVERY_MS = 15000;

/** @param {Page} page */
export function bindHeartbeat({ store, editor }) {
  /** @type {string | null} */
  let session = null;

  setInterval(() => {
    const { connection, unsaved } = store.state;
    if (connection === "ok" && !unsaved && !document.hidden) editor.noteFolder();
  }, EVERY_MS);

  store.watch(["project"], ({ project }) => {
    const before = session;
    session = project?.session ?? before;
    if (!before || before === session) return;
    editor.say("The server was started again. What it had saved is shown.");
    editor.refresh();
    void editor.reload();
  });
}
