// The photo: pyramid tiles, the coarsest first, so that something is always there.

import { toScreen, visibleBox } from "../geometry.js";
import { keyOf, levelFor, tilesIn } from "../tiles.js";

/** @import { Api, State, Tile, View } from "../page.js" */
/** @import { Box, ImageDocument, Point } from "../wire.js" */

const KEPT = 160; // tiles in memory, the least recently seen go first: about 160 MB decoded

/**
 * What is painted of a document.
 *
 * @typedef {Pick<ImageDocument, "image" | "width" | "height" | "tiles"> & Pick<State, "window">} Source
 */
/** @typedef {{ picture: HTMLImageElement, ready: boolean, lost: boolean }} Loaded */

/**
 * repaint() is asked for when a tile has come.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Api} api
 * @param {() => void} repaint
 */
export function createPhoto(context, api, repaint) {
  /** @type {Source | null} */
  let source = null;
  /** @type {Map<string, Loaded>} */
  let tiles = new Map(); // by key, in the order in which they were last seen

  /**
   * Answers whether that is another photo than before, or another window on its values.
   *
   * @param {ImageDocument | null} document
   * @param {State["window"]} window
   */
  function show(document, window) {
    const same = source?.image === document?.image && source?.tiles.version === document?.tiles.version;
    if (same && String(source?.window) === String(window)) return false;
    for (const { picture } of tiles.values()) picture.src = "";
    tiles = new Map();
    source = document && { ...document, window };
    return true;
  }

  /**
   * The tile's record; asked for when it is new.
   *
   * @param {Source} from
   * @param {Tile} place
   */
  function tile(from, place) {
    const key = keyOf(place);
    const known = tiles.get(key);
    if (known) {
      tiles.delete(key);
      tiles.set(key, known);
      return known;
    }
    const record = { picture: new Image(), ready: false, lost: false };
    record.picture.src = api.tileUrl(from.image, place, from.tiles.version, from.window);
    record.picture
      .decode()
      .then(() => (record.ready = true))
      .catch(() => (record.lost = true)) // or taken back: the coarser tile stays
      .finally(repaint);
    tiles.set(key, record);
    return record;
  }

  /**
   * Answers whether all that can be had for the view is painted.
   *
   * @param {State} state
   */
  function paint({ view, viewport }) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    const from = source;
    const box = from && visibleBox(view, from, viewport);
    if (!box) return true;
    context.save();
    clipToImage(from, view, viewport.ratio);
    const complete = paintTiles(from, box, view, viewport.ratio);
    context.restore();
    for (const key of tiles.keys()) {
      if (tiles.size <= KEPT) break;
      tiles.delete(key);
    }
    return complete;
  }

  /**
   * The last pixel of a coarse level may reach beyond the image.
   *
   * @param {Source} from
   * @param {View} view
   * @param {number} ratio
   */
  function clipToImage(from, view, ratio) {
    const [left, top] = onDevice(toScreen(view, [0, 0]), ratio);
    const [right, bottom] = onDevice(toScreen(view, [from.width, from.height]), ratio);
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
  }

  /**
   * @param {Source} from
   * @param {Box} box
   * @param {View} view
   * @param {number} ratio
   */
  function paintTiles(from, box, view, ratio) {
    const { levels, size } = from.tiles;
    const level = levelFor(view.scale * ratio, levels);
    context.imageSmoothingEnabled = view.scale * ratio < 2;
    context.imageSmoothingQuality = "medium";
    const fine = tilesIn(box, level, size, from);
    const complete = fine.map((place) => tile(from, place)).every(({ ready, lost }) => ready || lost);
    const coarsest = complete ? level : levels - 1;
    for (let coarse = coarsest; coarse > level; coarse -= 1) {
      paintKnown(from, box, coarse, view, ratio, coarse === levels - 1);
    }
    for (const place of fine) draw(place, tile(from, place), view, ratio);
    return complete;
  }

  /**
   * What is there of a coarser level; the coarsest, a single tile, is always asked for.
   *
   * @param {Source} from
   * @param {Box} box
   * @param {number} level
   * @param {View} view
   * @param {number} ratio
   * @param {boolean} ask
   */
  function paintKnown(from, box, level, view, ratio, ask) {
    for (const place of tilesIn(box, level, from.tiles.size, from)) {
      const record = ask ? tile(from, place) : tiles.get(keyOf(place));
      if (record) draw(place, record, view, ratio);
    }
  }

  /**
   * A pixel of level n covers 2^n x 2^n image pixels exactly.
   *
   * @param {Tile} place
   * @param {Loaded} tile
   * @param {View} view
   * @param {number} ratio
   */
  function draw({ level, box }, { picture, ready }, view, ratio) {
    if (!ready) return;
    const [x, y] = toScreen(view, [box[0], box[1]]);
    const side = 2 ** level * view.scale;
    const [left, top] = onDevice([x, y], ratio);
    const [right, bottom] = onDevice([x + picture.naturalWidth * side, y + picture.naturalHeight * side], ratio);
    context.drawImage(picture, left, top, right - left, bottom - top);
  }

  return { show, paint };
}

/**
 * The nearest device pixel of a point of the screen.
 *
 * @param {Point} point
 * @param {number} ratio
 * @returns {Point}
 */
function onDevice([x, y], ratio) {
  return [Math.round(x * ratio), Math.round(y * ratio)];
}
