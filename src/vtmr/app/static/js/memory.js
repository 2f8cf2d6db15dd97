// What the browser keeps for the user between visits. Cookies, as they hold for all ports of a host, and each folder's
// server has a port of its own; behind a proxy they hold for the page's path.

const YEAR_S = 365 * 24 * 3600;

/**
 * What was kept by that name; null where nothing was.
 *
 * @param {string} name
 */
export function recall(name) {
  const found = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
  try {
    return found === undefined ? null : decodeURIComponent(found.slice(name.length + 1));
  } catch {
    return null; // somebody else's cookie of the same name
  }
}

/**
 * A browser without cookies forgets it.
 *
 * @param {string} name
 * @param {string} text
 */
export function keep(name, text) {
  const folder = location.pathname.replace(/\/[^/]*$/, "") || "/"; // a proxy may have other pages beside this one
  document.cookie = `${name}=${encodeURIComponent(text)}; path=${folder}; max-age=${YEAR_S}; samesite=strict`;
}
