#!/bin/sh
# Prints the path of a Chromium for the browser tests: $CHROMIUM, one on the PATH, or Debian's, installed when root.
set -eu

for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome-stable google-chrome; do
    if [ -n "$name" ] && path=$(command -v "$name"); then
        echo "$path"
        exit 0
    fi
done

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's chromium for the browser tests: once, about a minute." >&2
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends chromium; } >&2
    command -v chromium && exit 0
fi

echo "The browser tests need Chromium: install it (Debian: apt-get install chromium) or set CHROMIUM to its path." >&2
exit 1
