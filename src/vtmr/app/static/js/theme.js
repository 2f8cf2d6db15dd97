// Light or dark: as the system says, until the user says otherwise.

import { keep, recall } from "./memory.js";

const KEY = "vtmr-theme";

export function initialTheme() {
  const theme = recall(KEY);
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}

export function toggleTheme() {
  const chosen = document.documentElement.dataset.theme;
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = dark ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  keep(KEY, theme);
}
