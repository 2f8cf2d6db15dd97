// The photo: pyramid tiles, the coarsest first, so that something is always there.

import { toScreen, visibleBox } from "../geometry.js";
import { keyOf, levelFor, tilesIn } from "../tiles.js";

/** @import { Api, State, Tile, View } from "../page.js" */
/** @import { Box, ImageDocument } from "../wire.js" */

const KEPT = 160; // tiles in memory, the least recently seen go first: about 160 MB decoded

/**
 * repaint() is asked for when a tile has come.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Api} api
 * @param {() => void} repaint
 */
export function createPhoto(context, api, repaint) {
  let source = null; // {image, width, height, tiles} of the open document
  let tiles = new Map(); // key → {picture, ready, lost}, in the order in which they were last seen

  /**
   * Answers whether that is another photo than before, or another window on its values.
   *
   * @param {ImageDocument | null} document
   * @param {State["window"]} window
   */
  function show(document, window) {
    const { image, width, height, tiles: pyramid } = document ?? {};
    const same = source?.image === image && source?.tiles.version === pyramid?.version;
    if (same && String(source?.window) === String(window)) return false;
    for (const { picture } of tiles.values()) picture.src = "";
    tiles = new Map();
    source = document ? { image, width, height, tiles: pyramid, window } : null;
    return true;
  }

  /**
   * The tile's record; asked for when it is new.
   *
   * @param {Tile} place
   */
  function tile(place) {
    const key = keyOf(place);
    const known = tiles.get(key);
    if (known) {
      tiles.delete(key);
      tiles.set(key, known);
      return known;
    }
    const record = { picture: new Image(), ready: false, lost: false };
    record.picture.src = api.tileUrl(source.image, place, source.tiles.version, source.window);
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
    const box = source && visibleBox(view, source, viewport);
    if (!box) return true;
    context.save();
    clipToImage(view, viewport.ratio);
    const complete = paintTiles(box, view, viewport.ratio);
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
   * @param {View} view
   * @param {number} ratio
   */
  function clipToImage(view, ratio) {
    const [left, top] = toScreen(view, [0, 0]).map((value) => Math.round(value * ratio));
    const [right, bottom] = toScreen(view, [source.width, source.height]).map((value) => Math.round(value * ratio));
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
  }

  /**
   * @param {Box} box
   * @param {View} view
   * @param {number} ratio
   */
  function paintTiles(box, view, ratio) {
    const { levels, size } = source.tiles;
    const level = levelFor(view.scale * ratio, levels);
    context.imageSmoothingEnabled = view.scale * ratio < 2;
    context.imageSmoothingQuality = "medium";
    const fine = tilesIn(box, level, size, source);
    const complete = fine.map(tile).every(({ ready, lost }) => ready || lost);
    for (let coarse = levels - 1; coarse > level && !complete; coarse -= 1) {
      paintKnown(box, coarse, view, ratio, coarse === levels - 1);
    }
    for (const place of fine) draw(place, tile(place), view, ratio);
    return complete;
  }

  /**
   * What is there of a coarser level; the coarsest, a single tile, is always asked for.
   *
   * @param {Box} box
   * @param {number} level
   * @param {View} view
   * @param {number} ratio
   * @param {boolean} ask
   */
  function paintKnown(box, level, view, ratio, ask) {
    for (const place of tilesIn(box, level, source.tiles.size, source)) {
      const record = ask ? tile(place) : tiles.get(keyOf(place));
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
    const [x, y] = toScreen(view, box);
    const side = 2 ** level * view.scale;
    const [left, top] = [Math.round(x * ratio), Math.round(y * ratio)];
    const right = Math.round((x + picture.naturalWidth * side) * ratio);
    const bottom = Math.round((y + picture.naturalHeight * side) * ratio);
    context.drawImage(picture, left, top, right - left, bottom - top);
  }

  return { show, paint };
}
