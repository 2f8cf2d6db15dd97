// How the photo looks on the screen: brightness, contrast, gamma, and a window on values of more than 8 bits. What the
// network sees stays as it is.

import { byId, el } from "../dom.js";

/** @import { Api, Page, State, Store } from "../page.js" */

const WAIT_MS = 150; // a window is a new picture for the server: not one for every step of a slider
/** @type {{ key: keyof State["look"], name: string, min: number, max: number, step: number }[]} */
const SLIDERS = [
  { key: "brightness", name: "Brightness", min: -1, max: 1, step: 0.02 },
  { key: "contrast", name: "Contrast", min: -1, max: 1, step: 0.02 },
  { key: "gamma", name: "Gamma", min: 0.2, max: 5, step: 0.05 },
];
const USUAL = { brightness: 0, contrast: 0, gamma: 1 };

/** @param {Page} page */
export function lookPanel({ store, api }) {
  const menu = byId("look-menu");
  const sliders = SLIDERS.map(({ key, name, min, max, step }) => {
    const input = el("input", { type: "range", min, max, step, "aria-label": name });
    input.addEventListener("input", () => store.update({ look: { ...store.state.look, [key]: Number(input.value) } }));
    store.watch(["look"], ({ look }) => (input.value = String(look[key])));
    return el("label", { class: "between grow note" }, el("span", { text: name }), input);
  });
  const reset = el("button", { text: "As it is", onclick: () => store.update({ look: USUAL, window: null }) });
  const note = el("p", { class: "note", text: "Only on the screen: the network gets the photo as it is." });
  menu.append(...sliders, windowPart(store), reset, note);
  menu.addEventListener("toggle", (event) => event.newState === "open" && askForValues(store, api));
  store.watch(["look"], ({ look }) => applyTo(byId("photo"), look));
  keepWindow(store, api);
}

/**
 * A window that was set holds for the images that are opened after it, those of more than 8 bits.
 *
 * @param {Store} store
 * @param {Api} api
 */
function keepWindow(store, api) {
  /** @type {State["window"]} */
  let kept = null;
  /** @type {string | null} */
  let image = null; // that was open last
  store.watch(["window", "document"], async ({ window, document, values }) => {
    if (!document) return;
    const opens = document.image !== image;
    image = document.image;
    if (!opens && values) kept = window;
    if (!opens || !kept) return;
    await askForValues(store, api);
    if (store.state.values && store.state.document?.image === image) store.update({ window: kept });
  });
}

/**
 * Two sliders, for images of more than 8 bits alone.
 *
 * @param {Store} store
 */
function windowPart(store) {
  const ends = ["Black at", "White from"].map((name) => el("input", { type: "range", step: 1, "aria-label": name }));
  const readings = ends.map(() => el("output", {}));
  const usual = el("button", {
    text: "Usual window",
    onclick: () => store.update({ window: store.state.values?.usual ?? null }),
  });
  const part = el(
    "div",
    { id: "window-part", hidden: true },
    ...ends.map((input, i) =>
      el("label", { class: "between grow note" }, el("span", { text: input.ariaLabel }), input, readings[i]),
    ),
    usual,
  );
  let timer = 0;
  const set = () => {
    const [low, high] = ends.map((input) => Number(input.value));
    clearTimeout(timer);
    timer = setTimeout(() => store.update({ window: low < high ? [low, high] : [low, low + 1] }), WAIT_MS);
  };
  for (const input of ends) input.addEventListener("input", set);
  store.watch(["values", "window"], ({ values, window }) => {
    part.hidden = !values;
    if (!values) return;
    ends.forEach((input, i) => {
      [input.min, input.max] = [String(values.low), String(values.high)];
      input.value = String((window ?? [values.low, values.high])[i]);
      readings[i].textContent = input.value;
    });
  });
  return part;
}

/**
 * @param {Store} store
 * @param {Api} api
 */
async function askForValues(store, api) {
  const { document, values } = store.state;
  if (!document || values) return;
  try {
    const found = await api.values(document.image);
    if (store.state.document?.image === document.image) store.update({ values: found });
  } catch {
    // Without an answer there are no sliders for it.
  }
}

/**
 * The SVG filter in index.html does it: (value - .5) * contrast + .5 + brightness, then to the power of 1 / gamma.
 *
 * @param {HTMLElement} photo
 * @param {State["look"]} look
 */
function applyTo(photo, { brightness, contrast, gamma }) {
  const slope = contrast < 0 ? 1 + contrast : 1 / Math.max(1 - contrast, 0.02);
  const usual = !brightness && !contrast && gamma === 1;
  for (const linear of document.querySelectorAll("#look .linear")) {
    linear.setAttribute("slope", String(slope));
    linear.setAttribute("intercept", String(0.5 - 0.5 * slope + brightness));
  }
  for (const power of document.querySelectorAll("#look .power")) power.setAttribute("exponent", String(1 / gamma));
  photo.style.filter = usual ? "" : "url(#look)";
}
