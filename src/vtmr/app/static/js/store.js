// The page's state in one place: plain values, replaced and never changed; whoever shows something watches its keys.

/** @import { WithImage, State } from "./page.js" */

/** @param {State} initial */
export function createStore(initial) {
  let state = Object.freeze({ ...initial });
  /** @type {Set<{ keys: Set<keyof State>, show: (state: State) => void }>} */
  const watchers = new Set();
  return {
    get state() {
      return state;
    },
    /**
     * Replaces the given keys and tells those who watch one that changed.
     *
     * @param {Partial<State>} patch
     */
    update(patch) {
      const changed = /** @type {(keyof State)[]} */ (Object.keys(patch)).filter(
        (key) => !Object.is(state[key], patch[key]),
      );
      if (!changed.length) return;
      state = Object.freeze({ ...state, ...patch });
      for (const watcher of watchers) if (changed.some((key) => watcher.keys.has(key))) watcher.show(state);
    },
    /**
     * Calls `show(state)` now and whenever one of `keys` changes.
     *
     * @param {(keyof State)[]} keys
     * @param {(state: State) => void} show
     */
    watch(keys, show) {
      watchers.add({ keys: new Set(keys), show });
      show(state);
    },
  };
}

/** What the state says of an image while none is open. */
export const CLOSED = {
  document: null,
  masks: {},
  openError: null,
  preview: null,
  either: null,
  intent: null,
  guess: null,
  stroke: null,
  drawn: null,
  nudge: null,
  picking: null,
  dragged: null,
  cursor: null,
  conflict: null,
  values: null,
  window: null,
  ms: null,
};

/** @type {State} */
export const INITIAL = {
  ...CLOSED,
  project: null,
  images: [],
  leftOut: [],
  search: "",
  filter: "all",
  folded: new Set(),
  imageId: null,
  opening: false,
  selected: null,
  fresh: false,
  chosen: [],
  lit: null,
  selectedClick: null,
  label: null,
  tool: "click",
  radius: 16,
  keepRest: false,
  refit: false,
  previews: true,
  farClicks: true,
  opacity: 0.45,
  overlay: true,
  look: { brightness: 0, contrast: 0, gamma: 1 },
  colouring: "label",
  view: { scale: 1, x: 0, y: 0 },
  viewport: { width: 1, height: 1, ratio: 1 },
  sharp: true,
  panning: false,
  pointer: null,
  apart: null,
  layers: false,
  growBy: 2,
  waiting: [],
  playing: null,
  accepted: null,
  unsaved: 0,
  connection: "ok",
  noticed: "",
  toast: null,
};

/**
 * The object with that id in the open document, or null.
 *
 * @param {State} state
 * @param {string | null | undefined} id
 */
export function objectOf(state, id) {
  return state.document?.objects.find((object) => object.id === id) ?? null;
}

/** @param {State} state */
export function selectedObject(state) {
  return objectOf(state, state.selected);
}

/**
 * Whether a click changes only the part of the object that it touches.
 *
 * @param {State} state
 */
export function correctsHere(state, object = state.selected) {
  return objectOf(state, object)?.edited ? !state.refit : state.keepRest;
}

/**
 * The fields of a click that changes only the part it touches, or all that the network answers.
 *
 * @param {State} state
 * @param {string | null} object
 * @param {boolean} here
 */
export function correction(state, object, here) {
  const edited = objectOf(state, object)?.edited ?? false;
  return { keep_rest: !edited && here, correction: edited && !here ? "refit" : "here" };
}

/**
 * The fields of a click that say what it may change of the mask so far.
 *
 * @param {State} state
 */
export function howToCorrect(state, object = state.selected) {
  return correction(state, object, correctsHere(state, object));
}

/**
 * Whether what a change adds to a mask is taken from no neighbour: as the project says, or else the browser's user.
 *
 * @param {State} state
 */
export function keepApart({ project, apart, layers }) {
  return project?.keep_apart ?? apart ?? !layers;
}

/**
 * @param {State} state
 * @returns {state is WithImage}
 */
export function canEdit(state) {
  const { document, project, connection } = state;
  return Boolean(document && !document.read_only && !project?.read_only) && connection !== "closed";
}
