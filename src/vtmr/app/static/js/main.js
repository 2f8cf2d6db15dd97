// Puts the page together: state, server, stage, gestures, panels. The order of gestures is their precedence.

import { api } from "./api.js";
import { createCommands } from "./commands.js";
import { createEditor } from "./editor.js";
import { brush } from "./gestures/brush.js";
import { choose } from "./gestures/choose.js";
import { click } from "./gestures/click.js";
import { bindHover } from "./gestures/hover.js";
import { moveClick } from "./gestures/moveclick.js";
import { pan } from "./gestures/pan.js";
import { bindWheel } from "./gestures/wheel.js";
import { bindKeyboard } from "./keyboard.js";
import { controls } from "./panels/controls.js";
import { bindSheet, createDialogs, exportMenu } from "./panels/dialogs.js";
import { imagesPanel } from "./panels/images.js";
import { notices } from "./panels/notices.js";
import { labelsPanel, objectsPanel } from "./panels/objects.js";
import { remember, remembered } from "./preferences.js";
import { bindGestures, createStage } from "./stage.js";
import { createStore, INITIAL } from "./store.js";
import { initialTheme } from "./theme.js";

initialTheme();
const store = createStore({ ...INITIAL, ...remembered() });
const editor = createEditor(store, api);
const stage = createStage(document.getElementById("stage"), store, api);
const dialogs = createDialogs();
const page = { store, editor, stage, api, dialogs };
page.commands = createCommands(page);

for (const show of [imagesPanel, objectsPanel, labelsPanel, controls, notices, exportMenu]) show(page);
bindSheet(dialogs, page.commands);
bindGestures(stage, [pan(page), choose(page), moveClick(page), click(page), brush(page)]);
bindWheel(page);
bindHover(page);
bindKeyboard(page);
remember(store);

// The open image is in the address, so that a reload comes back to it.
store.watch(["imageId"], ({ imageId }) => imageId && history.replaceState(null, "", `#${imageId}`));
store.watch(["project", "unsaved", "opening", "sharp"], ({ project, unsaved, opening, sharp }) => {
  stage.element.ariaBusy = String(!project || opening || unsaved > 0 || !sharp);
});
store.watch(["document"], ({ document: open }) => {
  stage.element.dataset.size = open ? `${open.width}x${open.height}` : "";
});
addEventListener("beforeunload", (event) => store.state.unsaved && event.preventDefault());
store.watch(["tool", "panning"], ({ tool, panning }) => {
  stage.element.dataset.cursor = panning ? "pan" : tool;
});

const asked = location.hash.slice(1);
await editor.start();
const { images } = store.state;
const first =
  images.find(({ id }) => id === asked) ?? images.find(({ state, error }) => state !== "done" && !error) ?? images[0];
if (first) editor.open(first.id);
stage.element.focus();
