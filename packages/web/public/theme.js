// Runs before the first paint, so that a chosen theme never flashes. External, because the page's policy allows no inline script.
try {
  const theme = localStorage.getItem('tendon:theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is switched off: the system's theme it is.
}
