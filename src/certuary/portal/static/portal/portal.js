// Small conveniences. Every page works without them.
"use strict";
document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const source = copy.dataset.copy.startsWith("#") ? document.querySelector(copy.dataset.copy).textContent : copy.dataset.copy;
    navigator.clipboard.writeText(source).then(() => announce("Copied"));
  }
  const theme = event.target.closest("[data-theme]");
  if (theme) window.certuaryTheme(theme.dataset.theme);
  const show = event.target.closest("[data-reveal]");
  if (show) {
    const field = document.getElementById(show.dataset.reveal);
    field.type = field.type === "password" ? "text" : "password";
    show.setAttribute("aria-pressed", String(field.type === "text"));
  }
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    const search = document.getElementById("search");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  }
});
// A press answers at once, and counts once.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || event.target.method === "get") return;
  setTimeout(() => { button.disabled = true; button.setAttribute("aria-busy", "true"); button.classList.add("btn-loading"); }, 0);
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("button[aria-busy]").forEach((button) => {
    button.disabled = false; button.removeAttribute("aria-busy"); button.classList.remove("btn-loading");
  });
  const summary = document.getElementById("error-summary");
  if (summary) summary.focus();
});
function announce(text) {
  const region = document.getElementById("announcements");
  if (region) { region.textContent = ""; setTimeout(() => { region.textContent = text; }, 50); }
}
