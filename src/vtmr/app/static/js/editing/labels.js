// The project's labels: what the manager changes, and what objects are called.

export function labelActions(store, api, { documents, images, settle, idle }) {
  return {
    /** All labels with how many objects have each. */
    labels: () => api.labels(),
    /** Makes a change of docs/api.md; what is open shows it. Answers the labels after it. Throws ApiError. */
    async changeLabels(change) {
      settle();
      await idle();
      const answer = await api.changeLabels(change);
      const { label } = store.state;
      if (label && !answer.labels.some(({ name }) => name === label)) {
        store.update({ label: change.op === "rename" && change.label === label ? change.to : null });
      }
      images.noteFolder();
      images.refresh();
      await documents.reload();
      return answer;
    },
  };
}
