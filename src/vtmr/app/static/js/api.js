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
  const body = value instanceof Blob ? value : JSON.stringify(value);
  return request(path, { method: "POST", headers: { "Content-Type": "application/json" }, body, ...options });
}

export const api = {
  project: () => request("/project"),
  images: () => request("/images").then((answer) => answer.images),
  open: (image) => request(`/images/${image}`),
  change: (image, change) => post(`/images/${image}/changes`, change),
  preview: (image, body, signal) => post(`/images/${image}/preview`, body, { signal }),
  importCoco: (file, repeated = "ask") => post(`/import?repeated=${repeated}`, file),
  exportAs: (format, onlyDone) => post("/exports", { format, only_done: onlyDone }),
  /** {mask} after the clicks of one object on the lesson's photo; nothing is kept. */
  lesson: (clicks) => post("/lesson", { clicks }),
  lessonPhotoUrl: `${ROOT}/lesson/photo.jpg`,
  /** The address of a file that an answer names by its path on the server. */
  fileUrl: (path) => HOME + path.replace(/^\//, ""),
  thumbnailUrl: (image) => `${ROOT}/images/${image}/thumbnail.jpg`,
  tileUrl: (image, { level, col, row }, version) =>
    `${ROOT}/images/${image}/tiles/${level}/${col}/${row}.jpg?v=${encodeURIComponent(version)}`,
};
