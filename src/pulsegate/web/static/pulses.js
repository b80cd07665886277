"use strict";
/* The list of pulses by keys: j and k move, x ticks, Enter opens. a, r, h and u press their buttons. */

(() => {
  const rows = () => [...document.querySelectorAll("tr[data-row]")];
  const at = () => document.activeElement.closest?.("tr[data-row]") ?? null;
  let last = null; /* the row that was left for a preview */

  function move(by) {
    const all = rows();
    const here = all.indexOf(at() ?? last);
    const to = all[here < 0 ? 0 : Math.min(Math.max(here + by, 0), all.length - 1)];
    if (!to) return;
    last = to;
    to.focus();
    to.scrollIntoView({ block: "nearest" });
  }

  const tick = (row) => row?.querySelector("input[name=pulse]");

  /* Where nothing is ticked, the row that one is at is meant. */
  function press(key) {
    const button = document.querySelector(`form.pulses [data-key="${key}"]`);
    if (!button) return;
    const box = tick(at() ?? last);
    const isTicked = button.form.querySelector("input[name=pulse]:checked, input[name=all]:checked");
    if (box && !isTicked) box.checked = true;
    button.click();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const isBox = event.target.matches("tr[data-row] input[type=checkbox]");
    if (!isBox && event.target.closest("input, textarea, select, [contenteditable]")) return;
    const row = at();
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "x" && tick(row)) tick(row).checked = !tick(row).checked;
    else if (event.key === "Enter" && event.target === row) row.querySelector("td.name a").click();
    else if ("arhu".includes(event.key)) press(event.key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
})();
