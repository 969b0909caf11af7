// The colours that were chosen here before; no module, so that it runs before anything is painted.
(() => {
  const chosen = localStorage.getItem("aerec-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
