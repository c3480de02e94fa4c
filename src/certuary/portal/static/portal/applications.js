// The field for a typed password is there only while it is wanted. Without this it is always there.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const box = document.querySelector(".typed-password");
  const choices = document.querySelectorAll("[name=password_source]");
  if (!box || !choices.length) return;
  const show = () => {
    const chosen = document.querySelector("[name=password_source]:checked");
    box.classList.toggle("is-unused", !chosen || chosen.value !== "type");
  };
  choices.forEach((choice) => choice.addEventListener("change", show));
  show();
});
