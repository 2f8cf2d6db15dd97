// Which tool is held: the one whose gesture a press on the image begins.

/** @import { Begin, Store, ToolId } from "./page.js" */

/**
 * @typedef {object} Tool
 * @property {ToolId} id
 * @property {Begin} gesture of a press on the image while it is held
 * @property {() => void} [disable] puts away what is half done when another tool is taken
 */

/**
 * Answers the gesture of whichever tool is held.
 *
 * @param {Store} store
 * @param {Tool[]} tools
 * @returns {Begin}
 */
export function bindTools(store, tools) {
  const byId = new Map(tools.map((tool) => [tool.id, tool]));
  /** @type {Tool | null} */
  let held = null;
  store.watch(["tool"], ({ tool }) => {
    held?.disable?.();
    held = byId.get(tool) ?? null;
  });
  // Half-done work belongs to the image that it was begun on.
  store.watch(["imageId"], () => held?.disable?.());
  return (event) => held?.gesture(event) ?? null;
}
