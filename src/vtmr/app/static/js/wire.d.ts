// What the server sends and takes, as docs/api.md and openapi.json have it; tests/app/test_types.py compares the two.
// Only the checker of types reads this file: a browser never loads it.

/** Image coordinates, x right and y down: the pixel in row r and column c covers [c, c+1) x [r, r+1). */
export type Point = [x: number, y: number];

/** Half-open, in image pixels. */
export type Box = [x0: number, y0: number, x1: number, y1: number];

/** What is on of an image, as row-major run lengths inside the box, zeros first. An empty mask has no box. */
export interface WireMask {
  box: Box | null;
  runs: number[];
}

/** By object id: all masks when an image is opened, after a change those that it changed. */
export type WireMasks = Record<string, WireMask>;

export interface Click {
  x: number;
  y: number;
  positive: boolean;
}

export type ImageState = "untouched" | "in_work" | "review" | "done";

/** One annotated object of an image. */
export interface AnnotatedObject {
  /** A letter and a number, which the object keeps whatever becomes of the others. */
  id: string;
  /** "" for none. */
  label: string;
  visible: boolean;
  locked: boolean;
  /** One mask over many things that nobody told apart, as COCO's iscrowd. */
  crowd: boolean;
  /** Brought or drawn by hand, so that a click has two ways of correcting it. */
  edited: boolean;
  /** In pixels. */
  area: number;
  box: Box | null;
  clicks: Click[];
  attributes: Record<string, string>;
  note: string;
  /** The box that it began with. */
  prompt: Box | null;
}

/** Which tiles an image's pyramid has: level 0 is native, each level halves the one before. */
export interface Pyramid {
  /** A tile's side in pixels of its level. */
  size: number;
  levels: number;
  /** Another one when the file has changed. */
  version: string;
}

/** An image with its objects. */
export interface ImageDocument {
  image: string;
  name: string;
  width: number;
  height: number;
  /** Why nothing may be changed, or null. */
  read_only: string | null;
  /** Counts changes: one that was made of an older revision is a conflict. */
  revision: number;
  state: ImageState;
  /** What undo would take back, or null. */
  undo: string | null;
  redo: string | null;
  /** The names of mask files that lie beside the image and could be imported, or null. */
  mask_beside: string | null;
  tiles: Pyramid;
  /** The lowest first. */
  objects: AnnotatedObject[];
}

export interface Opened {
  document: ImageDocument;
  masks: WireMasks;
}

/** The answer to a change. */
export interface Changed extends Opened {
  /** The object that the change made or was about. */
  object: string | null;
  /** What a mask file was taken for, where it could mean something else. */
  notes: string[];
  ms: { predict: number; total: number };
  /** The project's labels after the change. */
  labels: string[];
}

/** Attributes and the values that each offers. */
export type Choices = Record<string, string[]>;

/** The folder as a whole. */
export interface Project {
  name: string;
  version: string;
  model: string;
  read_only: string | null;
  /** What was found damaged or happened to the folder, a sentence each. */
  notices: string[];
  labels: string[];
  /** That an export can have. */
  formats: string[];
  import_formats: string[];
  about_formats: Record<string, { title: string; about: string }>;
  counts: Record<string, number>;
  /** Of the labels that were given one, as #rrggbb. */
  colours: Record<string, string>;
  /** What each label's objects are asked for. */
  attributes: Record<string, Choices>;
  /** Whether what is added to masks is taken from no neighbour; null where nobody said so. */
  keep_apart: boolean | null;
  /** Another one after each start of the server. */
  session: string;
}

/** An image in the list. */
export interface ImageEntry {
  id: string;
  name: string;
  state: ImageState | "damaged";
  /** How many it has. */
  objects: number;
  /** Of its thumbnail: another one when the file has changed. */
  version: string;
  /** Why it can't be shown, or null. */
  error: string | null;
  labels: string[];
}

/** Files of the folder that aren't in the list, for one reason; `names` may be the first of them. */
export interface LeftOut {
  why: string;
  count: number;
  names: string[];
}

export interface ImageList {
  images: ImageEntry[];
  left_out: LeftOut[];
}

/** A label as the manager shows it. */
export interface Label {
  name: string;
  colour: string | null;
  attributes: Choices;
  /** How many have it, on how many images. */
  objects: number;
  images: number;
}

export interface LabelsChanged {
  labels: Label[];
  changed: { images: number; objects: number };
  /** What wasn't done and why, a sentence each. */
  skipped: string[];
}

/** The range of values of an image of more than 8 bits. */
export interface Values {
  low: number;
  high: number;
  /** The ends of the window that the server would choose. */
  usual: [low: number, high: number];
}

/** How files are to be read: `pattern` says what mask files are called. */
export interface Wish {
  format: string;
  pattern?: string;
}

/** What an import would bring; nothing is changed yet. */
export interface Look {
  id: string;
  format: string;
  /** The first of `image_count`. */
  images: { id: string; name: string; objects: number; repeated: number }[];
  image_count: number;
  objects: number;
  /** How many of the objects are on their images already. */
  repeated: number;
  labels: Record<string, number>;
  skipped: string[];
}

export interface Imported {
  /** How many objects came, by image id. */
  imported: Record<string, number>;
  skipped: string[];
}

export interface Exported {
  url: string;
  name: string;
  warnings: string[];
  /** What the format can't hold, summed up over all images. */
  losses: string[];
}

/** A change of docs/api.md, of an image or of the labels: `op` and what that takes. */
export type Fields = Record<string, unknown>;
