// Below the list: how many files of the folder it left out, and on demand which and why.

import { byId, el } from "../dom.js";
import { counted } from "./images.js";
import { dialog, show } from "./sheet.js";

/** @import { Page } from "../page.js" */
/** @import { LeftOut } from "../wire.js" */

/** @param {Page} page */
export function leftOutPanel({ store }) {
  const button = byId("left-out");
  button.addEventListener("click", () => show(told(store.state.leftOut)));
  store.watch(["leftOut"], ({ leftOut }) => {
    const count = leftOut.reduce((sum, kind) => sum + kind.count, 0);
    button.hidden = !count;
    button.textContent = `${counted(count, "file")} left out …`;
  });
}

/** @param {LeftOut[]} leftOut */
function told(leftOut) {
  const kinds = leftOut.map(({ why, count, names }) =>
    el(
      "details",
      { open: count <= 10 },
      el("summary", { text: `${count.toLocaleString("en")}: ${why}` }),
      el("ul", { class: "names" }, ...names.map((name) => el("li", { text: name })), more(count - names.length)),
    ),
  );
  return dialog("Left out of the list", "slim", ...kinds);
}

/** @param {number} count */
function more(count) {
  return count > 0 ? el("li", { text: `and ${count.toLocaleString("en")} more` }) : null;
}
