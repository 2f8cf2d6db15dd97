// The server's HTTP API (docs/api.md): one function per route, typed errors.

/** @import { Tile } from "./page.js" */
/** @import { Changed, Click, Exported, Fields, Imported, LabelsChanged, Look, Opened } from "./wire.js" */
/** @import { Project, Values, WireMask, Wish } from "./wire.js" */

// Relative to this file, so that the page also works below a path (a proxy's, Jupyter's).
const HOME = new URL("../../", import.meta.url).pathname;
const ROOT = `${HOME}api/v1`;

export class ApiError extends Error {
  /**
   * status 0: no answer came.
   *
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {Record<string, any>} [body]
   * @param {number} [retryAfter]
   */
  constructor(status, code, message, body = {}, retryAfter = 1) {
    super(message);
    this.status = status;
    this.code = code;
    this.body = body;
    this.retryAfter = retryAfter; // seconds
  }
}

/** @param {unknown} error */
function isAborted(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/**
 * What a caught error says to the user.
 *
 * @param {unknown} error
 */
export function wordsOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(ROOT + path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (isAborted(error)) throw error;
    throw new ApiError(0, "lost", "The server doesn't answer.");
  }
  const body = await response.json().catch((error) => {
    if (isAborted(error)) throw error;
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

/**
 * @param {string} path
 * @param {unknown} value
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
function post(path, value, options = {}) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", headers, body: JSON.stringify(value), ...options });
}

export const api = {
  project: () => request("/project"),
  /**
   * @param {Fields} change
   * @returns {Promise<Project>}
   */
  changeProject: (change) => post("/project", change),
  /** {images, left_out} */
  images: () => request("/images"),
  /**
   * @param {string} image
   * @returns {Promise<Opened>}
   */
  open: (image) => request(`/images/${image}`),
  /**
   * @param {string} image
   * @param {Fields} change
   * @returns {Promise<Changed>}
   */
  change: (image, change) => post(`/images/${image}/changes`, change),
  /**
   * @param {string} image
   * @param {Fields} body
   * @param {AbortSignal} signal
   * @returns {Promise<{ mask: WireMask, ms: number }>}
   */
  preview: (image, body, signal) => post(`/images/${image}/preview`, body, { signal }),
  /**
   * How far a change is for which clicks are played again.
   *
   * @param {string} image
   * @param {string} key
   * @returns {Promise<{ playing: { done: number, of: number } | null }>}
   */
  playing: (image, key) => request(`/images/${image}/playing/${key}`),
  /**
   * @param {string} image
   * @param {string} key
   */
  stopPlaying: (image, key) => post(`/images/${image}/playing/${key}`, {}),
  labels: () => request("/labels"),
  /**
   * @param {Fields} change
   * @returns {Promise<LabelsChanged>}
   */
  changeLabels: (change) => post("/labels", change),
  /**
   * What the files in the folder would bring.
   *
   * @param {Wish} wish
   * @returns {Promise<Look>}
   */
  lookInFolder: (wish) => post("/imports", wish),
  /**
   * What a ZIP of files would bring.
   *
   * @param {Blob} zip
   * @param {Wish} wish
   * @returns {Promise<Look>}
   */
  lookAt: (zip, wish) =>
    request(`/imports?${new URLSearchParams({ ...wish })}`, {
      method: "POST",
      headers: { "Content-Type": "application/zip" },
      body: zip,
    }),
  /**
   * @param {string} look
   * @param {string} repeated
   * @returns {Promise<Imported>}
   */
  makeImport: (look, repeated) => post(`/imports/${look}`, { repeated }),
  /**
   * @param {string} look
   * @param {string} image
   */
  lookPictureUrl: (look, image) => `${ROOT}/imports/${look}/${image}.jpg`,
  /**
   * @param {string} format
   * @param {boolean} onlyDone
   * @returns {Promise<Exported>}
   */
  exportAs: (format, onlyDone) => post("/exports", { format, only_done: onlyDone }),
  /**
   * {mask} after the clicks of one object on the lesson's photo; nothing is kept.
   *
   * @param {Click[]} clicks
   * @returns {Promise<{ mask: WireMask }>}
   */
  lesson: (clicks) => post("/lesson", { clicks }),
  lessonPhotoUrl: `${ROOT}/lesson/photo.jpg`,
  /**
   * The address of a file that an answer names by its path on the server.
   *
   * @param {string} path
   */
  fileUrl: (path) => HOME + path.replace(/^\//, ""),
  /**
   * @param {string} image
   * @param {string} version
   */
  thumbnailUrl: (image, version) => `${ROOT}/images/${image}/thumbnail.jpg?v=${encodeURIComponent(version)}`,
  /**
   * @param {string} image
   * @returns {Promise<Values | null>}
   */
  values: async (image) => (await request(`/images/${image}/values`)).values,
  /**
   * window: [low, high] of an image of more than 8 bits, or null.
   *
   * @param {string} image
   * @param {Tile} tile
   * @param {string} version
   * @param {[number, number] | null} [window]
   */
  tileUrl: (image, { level, col, row }, version, window = null) =>
    `${ROOT}/images/${image}/tiles/${level}/${col}/${row}.jpg?v=${encodeURIComponent(version)}` +
    (window ? `&low=${window[0]}&high=${window[1]}` : ""),
};
