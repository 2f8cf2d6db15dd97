// The server's HTTP API (docs/api.md): one function per route, typed errors.

// Relative to this file, so that the page also works below a path (a proxy's, Jupyter's).
const HOME = new URL("../../", import.meta.url).pathname;
const ROOT = `${HOME}api/v1`;

export class ApiError extends Error {
  /** status 0: no answer came. */
  constructor(status, code, message, body = {}, retryAfter = 1) {
    super(message);
    Object.assign(this, { status, code, body, retryAfter });
  }
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(ROOT + path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "lost", "The server doesn't answer.");
  }
  const body = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    if (response.ok) throw new ApiError(0, "lost", "The server's answer ended in the middle.");
    return {};
  });
  if (response.ok) return body;
  // A proxy's word for a server that is away.
  if (!body.error && [502, 503, 504].includes(response.status)) {
    throw new ApiError(0, "lost", "The server doesn't answer.");
  }
  const { code = "unknown", message = `The server answered ${response.status}.` } = body.error ?? {};
  throw new ApiError(response.status, code, message, body, Number(response.headers.get("Retry-After")) || 1);
}

function post(path, value, options = {}) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", headers, body: JSON.stringify(value), ...options });
}

export const api = {
  project: () => request("/project"),
  /** {images, left_out} */
  images: () => request("/images"),
  open: (image) => request(`/images/${image}`),
  change: (image, change) => post(`/images/${image}/changes`, change),
  preview: (image, body, signal) => post(`/images/${image}/preview`, body, { signal }),
  labels: () => request("/labels"),
  changeLabels: (change) => post("/labels", change),
  /** What the files in the folder would bring. */
  lookInFolder: (wish) => post("/imports", wish),
  /** What a ZIP of files would bring. */
  lookAt: (zip, wish) =>
    request(`/imports?${new URLSearchParams(wish)}`, {
      method: "POST",
      headers: { "Content-Type": "application/zip" },
      body: zip,
    }),
  makeImport: (look, repeated) => post(`/imports/${look}`, { repeated }),
  lookPictureUrl: (look, image) => `${ROOT}/imports/${look}/${image}.jpg`,
  exportAs: (format, onlyDone) => post("/exports", { format, only_done: onlyDone }),
  /** {mask} after the clicks of one object on the lesson's photo; nothing is kept. */
  lesson: (clicks) => post("/lesson", { clicks }),
  lessonPhotoUrl: `${ROOT}/lesson/photo.jpg`,
  /** The address of a file that an answer names by its path on the server. */
  fileUrl: (path) => HOME + path.replace(/^\//, ""),
  thumbnailUrl: (image, version) => `${ROOT}/images/${image}/thumbnail.jpg?v=${encodeURIComponent(version)}`,
  values: (image) => request(`/images/${image}/values`).then((answer) => answer.values),
  /** window: [low, high] of an image of more than 8 bits, or null. */
  tileUrl: (image, { level, col, row }, version, window = null) =>
    `${ROOT}/images/${image}/tiles/${level}/${col}/${row}.jpg?v=${encodeURIComponent(version)}` +
    (window ? `&low=${window[0]}&high=${window[1]}` : ""),
};
