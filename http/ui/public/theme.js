// Runs before the first paint, so that a chosen theme does not flash. No choice follows the system.
try {
  const chosen = localStorage.getItem("regatta.theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage can be denied; the system's theme is used.
}
