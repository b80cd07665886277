"use strict";
/* Small helps; every page works without them. Events are delegated, so that parts that htmx brings have them too. */

document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector("meta[name=csrf-token]");
  if (token) event.detail.headers["X-CSRFToken"] = token.content;
});

/* data-copy: what the button copies. Without HTTPS there is no clipboard for pages: select the text instead. */
async function copy(button) {
  const said = document.getElementById("said");
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    const text = button.parentElement.querySelector("code");
    if (!text) return;
    getSelection().selectAllChildren(text);
    if (!document.execCommand("copy")) return;
  }
  said.textContent = "";
  said.textContent = said.dataset.copied;
  const before = button.textContent;
  button.textContent = said.dataset.copied;
  setTimeout(() => { button.textContent = before; }, 1500);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-toggle]");
  if (!button) return;
  if (button.dataset.copy !== undefined) {
    copy(button);
  } else { /* data-toggle: the id of what the button shows and hides */
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    document.getElementById(button.dataset.toggle).classList.toggle("open", !isOpen);
  }
});

/* data-key on a link or a button: that key presses it. */
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "?") {
    document.getElementById("keys").showModal();
  } else if (event.key === "/") {
    const field = document.querySelector("input[type=search]");
    if (!field) return;
    field.focus();
  } else {
    const wanted = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
    if (!wanted) return;
    wanted.click();
  }
  event.preventDefault();
});
