// What the page keeps while it is open: its state, what is on its way to the server, and what its parts expect of each
// other. Only the checker of types reads this file: a browser never loads it.

import type { api } from "./api.js";
import type { createDialogs } from "./panels/dialogs.js";
import type { createEditor } from "./editor.js";
import type { createSelection } from "./editing/selection.js";
import type { createChanges } from "./editing/changes.js";
import type { createDelivery } from "./editing/delivery.js";
import type { createDocuments } from "./editing/documents.js";
import type { createImages } from "./editing/images.js";
import type { createStage } from "./stage.js";
import type { createStore } from "./store.js";
import type {
  AnnotatedObject,
  Box,
  Changed,
  Click,
  Fields,
  ImageDocument,
  ImageEntry,
  LeftOut,
  Point,
  Project,
  Values,
} from "./wire.js";

export type Store = ReturnType<typeof createStore>;
export type Api = typeof api;
export type Editor = ReturnType<typeof createEditor>;
export type Stage = ReturnType<typeof createStage>;
export type Dialogs = ReturnType<typeof createDialogs>;
export type Selection = ReturnType<typeof createSelection>;
export type Delivery = ReturnType<typeof createDelivery>;
export type Changes = ReturnType<typeof createChanges>;
export type Documents = ReturnType<typeof createDocuments>;
export type Images = ReturnType<typeof createImages>;

/** What panels and gestures are given. */
export interface Page {
  store: Store;
  editor: Editor;
  stage: Stage;
  api: Api;
  dialogs: Dialogs;
  commands: Command[];
}

/** A mask that isn't empty: one that is, is null on the page. */
export interface Mask {
  box: Box;
  runs: number[];
}

/** Maps image point p to screen point scale * p + (x, y), in CSS pixels. */
export interface View {
  scale: number;
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

/** The stage in CSS pixels, each of which has `ratio` device pixels a side. */
export interface Viewport extends Size {
  ratio: number;
}

/** What a tool is; `id` of the state's `tool`. */
export type ToolId = "select" | "click" | "box" | "outline" | "scribble" | "brush" | "eraser" | "cut";

export type Mode = "add" | "erase";

/** A brush's line. pressures: for each point a share of the radius. */
export interface Stroke {
  points: Point[];
  radius: number;
  mode: Mode;
  pressures?: number[];
}

/** What is drawn and not yet part of a mask. */
export interface Drawn {
  kind: "box" | "outline" | "cut";
  points: Point[];
  mode?: Mode;
}

/** How far a mask was moved, in pixels. */
export interface Nudge {
  object: string;
  dx: number;
  dy: number;
}

/** What is drawn of a change until it is answered. */
export interface Ghost {
  clicks?: Click[];
  stroke?: Stroke;
  drawn?: Drawn;
  shift?: Nudge;
  /** Clicks that are drawn elsewhere meanwhile, by their index, or not at all: null. */
  edits?: { object: string; places: ReadonlyMap<number, Point | null> };
}

/** What a click would do: `object` is the one that it adds to, takes from or selects. */
export interface Intent {
  does: "add" | "take" | "new" | "select" | "nothing";
  object: string | null;
}

/**
 * The newest click, where its place alone told which object it was for: it began a new one, or went to the selected
 * one. `object` is the one that was selected.
 */
export interface Guess {
  did: "new" | "add";
  object: string;
  point: Point;
  region: Box | null;
  /** The server has answered that it made a change, which can be taken back. */
  made: boolean;
}

/** The page's state (store.js). */
export interface State {
  project: Project | null;
  images: ImageEntry[];
  /** Files of the folder that aren't in the list. */
  leftOut: LeftOut[];
  search: string;
  filter: "all" | "todo" | "review" | "done";
  /** Folders of the list whose images aren't listed, each with the slash at its end. */
  folded: ReadonlySet<string>;
  imageId: string | null;
  opening: boolean;
  /** Why the image couldn't be opened, in one sentence. */
  openError: string | null;
  /** The open image's. */
  document: ImageDocument | null;
  /** By object id; null where empty. */
  masks: Record<string, Mask | null>;
  /** An object's id; null: the next click begins a new object, or selects the mask that it lands on. */
  selected: string | null;
  /** A new object was asked for: the next click begins one, whatever lies there. */
  fresh: boolean;
  /** Ids of several objects that are meant together, `selected` among them; empty: that one alone. */
  chosen: string[];
  /** The id of the object under the pointer, in the list or in the photo. */
  lit: string | null;
  /** Index among the selected object's clicks. */
  selectedClick: number | null;
  /** Of new objects. */
  label: string | null;
  tool: ToolId;
  /** Of brush and eraser, image pixels. */
  radius: number;
  /** Clicks change only the part they touch. */
  keepRest: boolean;
  /** On a mask that was brought or drawn, a click takes the network's whole answer. */
  refit: boolean;
  previews: boolean;
  /** A click far from the selected object begins a new one. */
  farClicks: boolean;
  opacity: number;
  overlay: boolean;
  /** Of the photo on the screen, not of what the network sees. */
  look: { brightness: number; contrast: number; gamma: number };
  /** Of an open image of more than 8 bits, once that was asked. */
  values: Values | null;
  /** Its values that are shown from black to white; null: the server's own choice. */
  window: [low: number, high: number] | null;
  /** What masks have their colours by. */
  colouring: "label" | "instance";
  view: View;
  viewport: Viewport;
  /** The photo is painted as finely as the view wants it. */
  sharp: boolean;
  /** The space bar is down. */
  panning: boolean;
  /** The image point under the mouse. */
  pointer: Point | null;
  /** The image point of the keyboard's crosshair. */
  cursor: Point | null;
  /** What a click would make, of that object or of a new one (null). */
  preview: { mask: Mask | null; object: string | null } | null;
  /** The masks that a click would make in either way of correcting. */
  either: { here: Mask | null; refit: Mask | null } | null;
  /** What a click at the pointer would do. */
  intent: Intent | null;
  /** The newest click, while it can be said that it was for the other object. */
  guess: Guess | null;
  /** While it is drawn. */
  stroke: Stroke | null;
  /** While it is drawn. */
  drawn: Drawn | null;
  /** How far a mask was moved and not yet sent. */
  nudge: Nudge | null;
  /** The next object that is chosen is the other one. */
  picking: "merge" | "subtract" | null;
  /** What this browser's user chose last for projects that don't say; null: unless the objects are layers. */
  apart: boolean | null;
  /** The open image's objects overlapped when it was opened. */
  layers: boolean;
  /** Pixels. */
  growBy: number;
  /** While a click is dragged. */
  dragged: { object: string; index: number; point: Point } | null;
  /** Changes on their way. */
  waiting: Ghost[];
  /** The id of the image that was accepted last, until something else is done. */
  accepted: string | null;
  /** How many clicks of how many have been played again, while that lasts. */
  playing: { done: number; of: number } | null;
  /** Changes that the server hasn't acknowledged. */
  unsaved: number;
  /** Of the last click, from the hand to the answer. */
  ms: number | null;
  /** lost: the server is away; closed: the address is no longer valid. */
  connection: "ok" | "lost" | "closed";
  /** The folder's notices that the user has put away. */
  noticed: string;
  /** The change that another tab's work kept from being made. */
  conflict: { name: string; again: () => void } | null;
  toast: { text: string; kind: "plain" | "bad" } | null;
}

/** A state with an open image. */
export type WithImage = State & { document: ImageDocument };

/** What actions are told by besides the store: which object is meant, how to speak, and a clock in milliseconds. */
export interface About {
  selection: Selection;
  say: Say;
  clock: () => number;
}

/** The object that changes are for: one that is there, or a draft, whose first answer names it for all. */
export interface Target {
  id: string | null;
  /** A change on its way is about to make it. */
  coming?: boolean;
  /** What was to make it was refused: nothing is made of what waits for it. */
  refused?: boolean;
}

/** What was selected before a change. */
export interface Mark {
  selected: string | null;
  fresh: boolean;
  chosen?: string[];
}

/** The answer to a change. Where the answer itself was lost, what the server has afterwards stands for it. */
export type Answer = Pick<Changed, "document" | "masks" | "object" | "notes"> & Partial<Changed>;

/** A change that waits in the queue. */
export interface Change {
  image: string;
  /** What a message calls it. */
  name: string;
  /** Asked when its turn comes: by then the object that it is for has its id. null: that object is gone. */
  fields: () => Fields | null;
  /** Drawn until it is answered. */
  ghost: Ghost | null;
  answered?: (answer: Answer) => void;
  /** The object that it is for, or the draft that it makes one of. */
  target?: Target;
  /** Whether the time until the answer is shown. */
  timed?: boolean;
  /** When the hand began it, as performance.now. */
  begun?: number;
  /** By which the attempt that is being made can be stopped. */
  key?: string | null;
  /** What it does besides changing an object; acceptance: of the image as it will be then. */
  kind?: "undo" | "redo" | "acceptance";
  /** Whether undo takes it back while it is on its way. */
  withdraws?: boolean;
  /** It isn't wanted any more: called where it is made all the same. */
  withdrawn?: () => void;
}

/**
 * What a change has besides its name and fields. before: what was selected then. begins: whether it may begin an
 * object, where the one that it is for was undone meanwhile.
 */
export type ChangeOptions = Partial<Omit<Change, "image" | "name">> & { before?: () => Mark; begins?: boolean };

/** Says a sentence to the user. */
export type Say = (text: string, kind?: "plain" | "bad") => void;

/** Tells what a failure means: the server is away, or it said no. */
export type Refused = (error: unknown) => void;

/** A press, as gestures take one: a mouse's, a pen's, or what a finger's stands for. */
export type Press = Pick<
  PointerEvent,
  "clientX" | "clientY" | "timeStamp" | "pressure" | "button" | "pointerType" | "altKey" | "ctrlKey" | "shiftKey"
>;

/** A finger that is alone on the image, and what it has begun. */
export interface Finger {
  event: PointerEvent;
  start: Point;
  timer: number;
  gesture?: Gesture | null;
}

/** Where two fingers began. */
export interface Pinch {
  view: View;
  points: [Point, Point];
}

/** What follows a press. */
export interface Gesture {
  move?(event: PointerEvent): void;
  end?(event: Press): void;
  cancel?(event?: PointerEvent): void;
}

/** The gesture that a press begins, or null where it is none of this kind. */
export type Begin = (event: Press) => Gesture | null;

/** Something that a key does. One without a name isn't listed, one without `run` only listed. */
export interface Command {
  id?: string;
  group?: string;
  name?: string;
  /** As KeyboardEvent.key. */
  key?: string;
  /** Other keys that do the same. */
  also?: string[];
  /** The modifiers that have to be down. */
  held?: ("control" | "shift" | "alt")[];
  /** "stage": only while the stage itself has the focus. */
  where?: "stage";
  /** What the shortcut sheet says in place of the key. */
  shown?: string[];
  /** A key that is held down does it again and again. */
  repeats?: boolean;
  /** The tool that it takes. */
  tool?: ToolId;
  /** Without an image that may be changed, or a selected object, its button is off. */
  needs?: "image" | "object";
  run?(event: KeyboardEvent | MouseEvent): unknown;
}

/** An object's row in the list. */
export interface ObjectRow {
  object: AnnotatedObject;
  mask: Mask | null;
  colour: string;
  selected: boolean;
  chosen: boolean;
  editable: boolean;
}

/** A row of the list of images: an image, or a folder with what is below it. */
export type ListRow =
  | { folder?: undefined; image: ImageEntry; name: string; depth: number }
  | {
      folder: string;
      image?: undefined;
      name: string;
      depth: number;
      count: number;
      done: number;
      folded: boolean;
    };

/** Part of a mask as cells of `step` x `step` pixels, of which the middle pixel decides (masks.js). */
export interface Cells extends Size {
  x0: number;
  y0: number;
  step: number;
  /** Runs of cells that are on, three numbers each: row, first column, column after the last. */
  spans: number[];
}

/** A tile of an image's pyramid; its box is in image pixels. */
export interface Tile {
  level: number;
  col: number;
  row: number;
  box: Box;
}

/** A list of which only the rows in sight are in the document (panels/virtuallist.js). */
export interface VirtualList<Row> {
  show(next: Row[]): void;
  paint(): void;
  /** Scrolls as little as it takes to have the row in sight; its element. */
  reveal(key: string | null): HTMLElement | null;
  elementOf(key: string): HTMLElement | null;
  readonly rows: Row[];
}

/** What a virtual list asks of a kind of rows. */
export interface RowKind<Row> {
  /** Tells it from the others. */
  keyOf(row: Row): string;
  /** Whether what was drawn of it still holds. */
  isSame(before: Row, now: Row): boolean;
  /** In CSS pixels, exactly. */
  heightOf(row: Row): number;
  draw(row: Row): HTMLElement;
  /** Called whenever the rows in the document may have changed. */
  painted?(drawn: { row: Row; element: HTMLElement }[]): void;
}
