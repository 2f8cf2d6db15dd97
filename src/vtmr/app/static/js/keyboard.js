// Keys become commands. A focused text field keeps its keys, but for those with Ctrl that it has no use for.

/** @import { Command, Page } from "./page.js" */

const OVER_THE_PAGE = "dialog[open], [popover]:popover-open"; // keys belong to it: nothing behind it is meant

/** @type {Record<string, string>} */
const OTHER_SCRIPTS = { BracketLeft: "[", BracketRight: "]", Comma: ",", Period: ".", Slash: "/" }; // by their places

/** @param {Page} page */
export function bindKeyboard({ store, stage, commands }) {
  addEventListener("keydown", (event) => {
    if (event.isComposing || document.querySelector(OVER_THE_PAGE)) return;
    if (event.key === " " && !isText(event.target) && !isButton(event.target)) {
      event.preventDefault();
      store.update({ panning: true });
      return;
    }
    if (isText(event.target) && !((event.ctrlKey || event.metaKey) && event.key === "Enter")) return;
    const command = commands.find((candidate) => matches(candidate, event, stage.element));
    if (!command) return;
    event.preventDefault();
    if (event.repeat && !command.repeats) return; // a key that is held down would accept image after image
    if (isText(event.target)) /** @type {HTMLElement} */ (event.target).blur(); // what is typed there is saved before
    command.run?.(event);
  });
  addEventListener("keyup", (event) => event.key === " " && store.update({ panning: false }));
  addEventListener("blur", () => store.update({ panning: false }));
}

/**
 * @param {Command} command
 * @param {KeyboardEvent} event
 * @param {HTMLElement} stage
 */
function matches({ key, also = [], held = [], where, run }, event, stage) {
  const pressed = keyOf(event);
  if (!run || (pressed !== key && !also.includes(pressed))) return false;
  if (where === "stage") return event.target === stage && !event.ctrlKey && !event.metaKey;
  if (held.includes("control") !== (event.ctrlKey || event.metaKey)) return false;
  if (held.includes("alt") !== event.altKey) return false;
  return !held.includes("shift") || event.shiftKey;
}

/**
 * The key as commands name it. Of letters Shift alone decides which it is, not Caps Lock; on a keyboard of another
 * script, the place of the key does.
 *
 * @param {KeyboardEvent} event
 */
function keyOf({ key, code, shiftKey }) {
  const foreign = key.length === 1 && key > "\u007f";
  const typed = foreign ? (OTHER_SCRIPTS[code] ?? code.replace(/^Key/, "")) : key;
  if (!/^[a-z]$/i.test(typed)) return typed;
  return shiftKey ? typed.toUpperCase() : typed.toLowerCase();
}

/** @param {EventTarget | null} target */
function isText(target) {
  const texts = "input:not([type=range]):not([type=checkbox]):not([type=color]), textarea, select";
  return target instanceof Element && target.matches(texts);
}

/** @param {EventTarget | null} target */
function isButton(target) {
  return target instanceof Element && target.matches("button, summary, input");
}
