// What the browser remembers of the user's taste. Never more than that: work lives on the server.

import { keep, recall } from "./memory.js";

/** @import { State, Store } from "./page.js" */

const KEY = "vtmr-preferences";
/** @type {Partial<Record<keyof State, string>>} */
const KINDS = {
  opacity: "number",
  radius: "number",
  previews: "boolean",
  farClicks: "boolean",
  apart: "boolean",
  growBy: "number",
  colouring: "string",
};
const REMEMBERED = /** @type {(keyof State)[]} */ (Object.keys(KINDS));

/** @returns {Partial<State>} */
export function remembered() {
  const stored = read();
  return Object.fromEntries(
    REMEMBERED.filter((key) => typeof stored[key] === KINDS[key]).map((key) => [key, stored[key]]),
  );
}

/** @param {Store} store */
export function remember(store) {
  store.watch(REMEMBERED, (state) => {
    const present = Object.fromEntries(REMEMBERED.map((key) => [key, state[key]]));
    keep(KEY, JSON.stringify({ ...read(), ...present }));
  });
}

/**
 * What is stored, of whatever kind it may be.
 *
 * @returns {Record<string, unknown>}
 */
function read() {
  try {
    return JSON.parse(recall(KEY) ?? "{}") ?? {};
  } catch {
    return {};
  }
}
