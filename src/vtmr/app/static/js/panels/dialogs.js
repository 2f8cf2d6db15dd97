// The shortcut sheet, and the dialogs that commands open.

import { keyText } from "../commands.js";
import { byId, el, inside } from "../dom.js";
import { dialog, show } from "./sheet.js";

/** @import { Command, Dialogs } from "../page.js" */

export function createDialogs() {
  return {
    /** Set by `bindSheet`, once the commands exist that the sheet lists. */
    help() {},
    /** Set by `bindManager`. */
    labels() {},
    search() {
      const drawer = byId("drawer");
      if (drawer.checkVisibility() && drawer.ariaExpanded !== "true") drawer.click();
      byId("search").focus();
    },
  };
}

/**
 * @param {Dialogs} dialogs
 * @param {Command[]} commands
 * @param {() => void} again
 */
export function bindSheet(dialogs, commands, again) {
  const sheet = drawSheet(commands);
  const lesson = el("button", { text: "Show the first minute again" });
  lesson.addEventListener("click", () => {
    sheet.close();
    again();
  });
  inside(sheet, "header h2").after(lesson);
  dialogs.help = () => show(sheet);
}

/** @param {Command[]} commands */
function drawSheet(commands) {
  const groups = Map.groupBy(
    commands.filter((command) => command.name),
    (command) => command.group,
  );
  const sections = [...groups].map(([group, members]) =>
    el(
      "section",
      {},
      el("h3", { text: group }),
      ...members.map((command) => el("div", { class: "keys" }, el("span", { text: command.name }), keys(command))),
    ),
  );
  return dialog("Shortcuts", "", el("div", { class: "columns" }, ...sections));
}

/** @param {Command} command */
function keys(command) {
  const parts = command.shown ?? [keyText(command)];
  return el("span", {}, ...parts.flatMap((part, i) => [i ? " " : null, el("kbd", { text: part })]));
}
