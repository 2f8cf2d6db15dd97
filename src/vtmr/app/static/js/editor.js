// What the user does, in the words of the page: puts the parts of editing/ together. Knows the server, knows no DOM.

import { createChanges } from "./editing/changes.js";
import { clickEdits } from "./editing/clickedits.js";
import { clickActions } from "./editing/clicks.js";
import { createConnection } from "./editing/connection.js";
import { createDelivery } from "./editing/delivery.js";
import { createDocuments } from "./editing/documents.js";
import { drawingActions } from "./editing/drawing.js";
import { historyActions } from "./editing/history.js";
import { createImages } from "./editing/images.js";
import { labelActions } from "./editing/labels.js";
import { moveActions } from "./editing/moving.js";
import { objectActions } from "./editing/objects.js";
import { paintActions } from "./editing/painting.js";
import { projectActions } from "./editing/project.js";
import { createSelection } from "./editing/selection.js";
import { severalActions } from "./editing/several.js";
import { touchingActions } from "./editing/touching.js";

/** @import { Api, Say, Store } from "./page.js" */

/**
 * @param {Store} store
 * @param {Api} api
 */
export function createEditor(store, api, clock = () => performance.now()) {
  /** @type {Say} */
  const say = (text, kind = "plain") => store.update({ toast: { text, kind } });
  const { refused } = createConnection(store, api, say, () => documents.reopen());
  const selection = createSelection(store);
  const images = createImages(store, api, refused);
  const settled = () => delivery.settled();
  const documents = createDocuments(store, api, { images, selection, refused, settled });
  const delivery = createDelivery(store, api, { documents, images, selection, refused, say, clock });
  const changes = createChanges(store, selection, delivery.push, say);
  const several = severalActions(store, changes, selection);
  const about = { selection, say, clock };

  return {
    start: images.start,
    refresh: images.refresh,
    noteFolder: images.noteFolder,
    neighbour: images.neighbour,
    /** @param {string} id */
    open(id) {
      changes.settle();
      return documents.open(id);
    },
    reload: documents.reload,
    selectNew: selection.selectNew,
    say,
    refused,
    idle: delivery.idle,
    dismissConflict: delivery.dismissConflict,
    get busy() {
      return delivery.busy;
    },
    stopPlaying: delivery.stopPlaying,
    ...clickActions(store, changes, about),
    ...clickEdits(store, changes, delivery, about),
    ...paintActions(store, changes, about),
    ...drawingActions(store, changes, about),
    ...moveActions(store, changes),
    ...touchingActions(store, changes, about),
    ...objectActions(store, changes, { selection, changeAll: several.changeAll }),
    ...several,
    ...projectActions(store, api, refused),
    ...labelActions(store, api, { documents, images, selection, settle: changes.settle, idle: delivery.idle }),
    ...historyActions(store, changes, { images, documents, selection, delivery, say }),
  };
}
