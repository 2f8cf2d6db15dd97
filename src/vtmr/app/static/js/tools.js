// Which tool is held: the one whose gesture a press on the image begins.

/** @import { Begin, Store } from "./page.js" */

/**
 * A tool is {id, gesture, enable?, disable?}: `gesture` as bindGestures takes them; `disable` puts away what is half
 * done when another tool is taken, `enable` is called when it is taken itself. Answers the gesture of whichever is held.
 *
 * @param {Store} store
 * @param {Tool[]} tools
 * @returns {Begin}
 */
export function bindTools(store, tools) {
  const byId = new Map(tools.map((tool) => [tool.id, tool]));
  let held = null;
  store.watch(["tool"], ({ tool }) => {
    held?.disable?.();
    held = byId.get(tool) ?? null;
    held?.enable?.();
  });
  // Half-done work belongs to the image that it was begun on.
  store.watch(["imageId"], () => held?.disable?.());
  return (event) => held?.gesture(event) ?? null;
}
