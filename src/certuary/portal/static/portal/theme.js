// Before anything is painted: the theme that was chosen, else the system's.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const theme = localStorage.getItem("theme") || (dark.matches ? "dark" : "light");
    document.documentElement.setAttribute("data-bs-theme", theme);
  };
  apply();
  dark.addEventListener("change", apply);
  window.certuaryTheme = (next) => { if (next) localStorage.setItem("theme", next); else localStorage.removeItem("theme"); apply(); };
})();
