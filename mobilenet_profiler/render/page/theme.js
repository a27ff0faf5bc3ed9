
// Before anything is drawn: the theme that the reader chose last, and that scripts run.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const kept = localStorage.getItem("mobilenet-profiler-theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  } catch {
    // A browser may forbid a page of a file to keep anything.
  }
})();
