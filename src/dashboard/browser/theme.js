// Before the page is painted, so that it does not flash. Without a choice, the system's theme.
(() => {
  const chosen = localStorage.getItem('theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen;
})();
