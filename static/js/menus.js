// <details data-menu> closes on a click elsewhere, on Escape and when another opens; arrows move
// inside it. Buttons with data-dismiss="selector" remove what they are in.

const open = () => document.querySelectorAll("details[data-menu][open]");

document.addEventListener("click", (event) => {
  for (const menu of open()) {
    const inside = menu.contains(event.target);
    if (!inside || event.target.closest(".menu-item")) menu.open = false;
  }
  const dismiss = event.target.closest("[data-dismiss]");
  if (dismiss) dismiss.closest(dismiss.dataset.dismiss)?.remove();
});

document.addEventListener("keydown", (event) => {
  const menu = [...open()].pop();
  if (!menu) return;
  // What is typed to find an entry is no answer to the form around it.
  if (event.key === "Enter" && event.target.matches("[data-menu-find]")) {
    event.preventDefault();
    menu.querySelector(".menu-item")?.focus();
    return;
  }
  if (event.key === "Escape") {
    menu.open = false;
    menu.querySelector("summary").focus();
    event.stopImmediatePropagation();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const items = [...menu.querySelectorAll(".menu-item")];
    const at = items.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    items[(at + items.length) % items.length]?.focus();
    event.preventDefault();
  }
});

// A question that was answered closes, when its page stays.
document.addEventListener("htmx:after:swap", () => {
  for (const dialog of document.querySelectorAll(".dialog:popover-open")) dialog.hidePopover();
});
