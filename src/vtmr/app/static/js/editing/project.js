// Settings of the project: whoever opens the folder has them.

import { canEdit } from "../store.js";

/** @import { Api, Refused, Store } from "../page.js" */

/**
 * @param {Store} store
 * @param {Api} api
 * @param {Refused} refused
 */
export function projectActions(store, api, refused) {
  return {
    /**
     * Whether objects are kept apart; of a folder that can't be changed, in this browser alone.
     *
     * @param {boolean} apart
     */
    setKeepApart(apart) {
      store.update({ apart, preview: null });
      const { project } = store.state;
      if (!project || !canEdit(store.state)) return;
      store.update({ project: { ...project, keep_apart: apart } });
      api.changeProject({ keep_apart: apart }).catch(refused);
    },
  };
}
