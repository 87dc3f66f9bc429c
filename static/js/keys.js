// The keyboard. A list has [data-row]s with a link [data-open]; any page may have elements with
// data-key="r" that a key presses, and links with data-key="j" / "k" for its neighbours.
import { update } from "./selection.js";

const rows = () => [...document.querySelectorAll("[data-row]")];
const current = () => document.querySelector("[data-row][data-current]");

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(current());
  const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
  all[at]?.removeAttribute("data-current");
  next.setAttribute("data-current", "");
  next.scrollIntoView({ block: "nearest" });
}

function select(row) {
  const box = row?.querySelector("[data-select]");
  if (!box) return;
  box.checked = !box.checked;
  update(box.closest("[data-selection]"));
}

// An action of the bulk bar is for the selected rows, or else for the current one.
function press(key) {
  const element = document.querySelector(`[data-key="${key}"]`);
  if (!element) return false;
  const area = element.closest("[data-selection]");
  if (area && !area.querySelector("[data-select]:checked")) {
    if (!current()) return false;
    select(current());
  }
  element.click();
  return true;
}

function act(key) {
  if (key === "/") {
    const search = document.querySelector("[data-search]");
    search?.focus();
    search?.select();
    return Boolean(search);
  }
  if (key === "?") {
    document.getElementById("help")?.showModal();
    return true;
  }
  if (rows().length) {
    if (key === "j" || key === "k") return move(key === "j" ? 1 : -1), true;
    if (key === "x") return select(current()), true;
    if (key === "o" || key === "Enter") {
      current()?.querySelector("[data-open]")?.click();
      return Boolean(current());
    }
  }
  return press(key);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const target = event.target;
  if (target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]")) {
    if (event.key === "Escape") target.blur();
    return;
  }
  if (document.querySelector("dialog[open], [popover].dialog:popover-open")) return;
  if (event.key === "Enter" && target.closest("a, button, summary")) return;
  if (event.key.length === 1 || event.key === "Enter") {
    if (act(event.key)) event.preventDefault();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-help]")) document.getElementById("help")?.showModal();
});

// A link marked data-back leads to a list: to where this tab was in it, filters and all. How one
// came here says where that was, also in a tab that was just opened.
const back = document.querySelector("[data-back]");
if (back) {
  const from = document.referrer;
  const left = from.split("?")[0] === back.href ? from : sessionStorage.getItem(back.pathname);
  if (left) {
    sessionStorage.setItem(back.pathname, left);
    back.href = left;
  }
}

// A swap brings new rows: stay at the same place of the list.
let place = -1;
document.addEventListener("htmx:before:swap", () => (place = rows().indexOf(current())));
document.addEventListener("htmx:after:swap", () => {
  const all = rows();
  if (place >= 0 && !current()) all[Math.min(place, all.length - 1)]?.setAttribute("data-current", "");
});
