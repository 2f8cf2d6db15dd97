// What the browser remembers of the user's taste. Never more than that: work lives on the server.

/** @import { Store } from "./page.js" */

const KEY = "vtmr-preferences";
const KINDS = {
  opacity: "number",
  radius: "number",
  previews: "boolean",
  farClicks: "boolean",
  apart: "boolean",
  growBy: "number",
  colouring: "string",
};
const REMEMBERED = Object.keys(KINDS);

export function remembered() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY)) ?? {};
    const sound = REMEMBERED.filter((key) => typeof stored[key] === KINDS[key]);
    return Object.fromEntries(sound.map((key) => [key, stored[key]]));
  } catch {
    return {};
  }
}

/** @param {Store} store */
export function remember(store) {
  store.watch(REMEMBERED, (state) => {
    try {
      const stored = JSON.parse(localStorage.getItem(KEY)) ?? {};
      localStorage.setItem(
        KEY,
        JSON.stringify({ ...stored, ...Object.fromEntries(REMEMBERED.map((key) => [key, state[key]])) }),
      );
    } catch {
      // A browser without storage forgets; nothing else is lost.
    }
  });
}
