// The page's state in one place: plain values, replaced and never changed; whoever shows something watches its keys.

export function createStore(initial) {
  let state = Object.freeze({ ...initial });
  const watchers = new Set();
  return {
    get state() {
      return state;
    },
    /** Replaces the given keys and tells those who watch one that changed. */
    update(patch) {
      const changed = Object.keys(patch).filter((key) => !Object.is(state[key], patch[key]));
      if (!changed.length) return;
      state = Object.freeze({ ...state, ...patch });
      for (const watcher of watchers) if (changed.some((key) => watcher.keys.has(key))) watcher.show(state);
    },
    /** Calls `show(state)` now and whenever one of `keys` changes. */
    watch(keys, show) {
      watchers.add({ keys: new Set(keys), show });
      show(state);
    },
  };
}

export const INITIAL = {
  project: null, // GET /project
  images: [], // GET /images
  leftOut: [], // {why, count, names} of the folder's files that aren't in the list
  search: "",
  filter: "all", // all | todo | review | done
  folded: new Set(), // folders of the list whose images aren't listed
  imageId: null,
  opening: false,
  openError: null, // one sentence
  document: null, // the open image's
  masks: {}, // object id → {box, runs} or null when empty
  selected: null, // object id; null: the next click begins a new object, or selects the mask that it lands on
  fresh: false, // a new object was asked for: the next click begins one, whatever lies there
  chosen: [], // ids of several objects that are meant together, `selected` among them; empty: that one alone
  lit: null, // id of the object under the pointer, in the list or in the photo
  selectedClick: null, // index among the selected object's clicks
  label: null, // of new objects
  tool: "click", // the id of one of gestures/
  radius: 16, // of brush and eraser, image pixels
  keepRest: false, // clicks change only the part they touch
  refit: false, // on a mask that was brought or drawn, a click takes the network's whole answer
  previews: true,
  farClicks: true, // a click far from the selected object begins a new one
  opacity: 0.45,
  overlay: true,
  look: { brightness: 0, contrast: 0, gamma: 1 }, // of the photo on the screen, not of what the network sees
  values: null, // {low, high, usual} of an open image of more than 8 bits, once that was asked
  window: null, // [low, high]: its values that are shown from black to white; null: the server's own choice
  colouring: "label", // masks are coloured by label | instance
  view: { scale: 1, x: 0, y: 0 },
  viewport: { width: 1, height: 1, ratio: 1 },
  sharp: true, // the photo is painted as finely as the view wants it
  panning: false, // the space bar is down
  pointer: null, // image point under the mouse
  cursor: null, // image point of the keyboard's crosshair
  preview: null, // {mask, object}: what a click would make, of that object or of a new one (null)
  either: null, // {here, refit}: the masks that a click would make in either way of correcting
  intent: null, // what a click at the pointer would do (intent.js)
  stroke: null, // {points, radius, mode, pressures?} while it is drawn
  drawn: null, // {kind: box | outline | cut, points, mode?} while it is drawn
  nudge: null, // {object, dx, dy}: how far a mask was moved and not yet sent
  picking: null, // merge | subtract: the next object that is chosen is the other one
  apart: null, // whether masks take nothing from their neighbours; null: unless the image's objects are layers
  layers: false, // the open image's objects overlapped when it was opened
  growBy: 2, // pixels
  dragged: null, // {object, index, point} while a click is dragged
  waiting: [], // changes on their way: {clicks?, stroke?, drawn?, shift?}
  accepted: null, // id of the image that was accepted last, until something else is done
  unsaved: 0, // changes that the server hasn't acknowledged
  ms: null, // of the last click, from the hand to the answer
  connection: "ok", // ok | lost | closed
  noticed: "", // the folder's notices that the user has put away
  conflict: null, // {name}: the change that another tab's work kept from being made
  toast: null, // {text, kind}
};

/** The object with that id in the open document, or null. */
export function objectOf(state, id) {
  return state.document?.objects.find((object) => object.id === id) ?? null;
}

export function selectedObject(state) {
  return objectOf(state, state.selected);
}

/** Whether a click changes only the part of the object that it touches. */
export function correctsHere(state, object = state.selected) {
  return objectOf(state, object)?.edited ? !state.refit : state.keepRest;
}

/** The fields of a click that changes only the part it touches, or all that the network answers. */
export function correction(state, object, here) {
  const edited = objectOf(state, object)?.edited ?? false;
  return { keep_rest: !edited && here, correction: edited && !here ? "refit" : "here" };
}

/** The fields of a click that say what it may change of the mask so far. */
export function howToCorrect(state, object = state.selected) {
  return correction(state, object, correctsHere(state, object));
}

/** Whether what a change adds to a mask is taken from no neighbour. */
export function keepApart({ apart, layers }) {
  return apart ?? !layers;
}

export function canEdit(state) {
  const { document, project, connection } = state;
  return Boolean(document) && !document.read_only && !project?.read_only && connection !== "closed";
}
