// Rows to select: [data-selection] holds [data-row]s, each with a [data-select] checkbox.

const boxes = (area) => [...area.querySelectorAll("[data-select]")];
let last = null;

export function update(area) {
  const all = boxes(area);
  const count = all.filter((box) => box.checked).length;
  const every = area.querySelector("[data-select-all]");
  if (every) {
    every.checked = count > 0 && count === all.length;
    every.indeterminate = count > 0 && count < all.length;
  }
  const label = area.querySelector("[data-selected-count]");
  if (label) label.textContent = innerWidth > 832 ? `${count} selected` : String(count);
}

document.addEventListener("click", (event) => {
  const box = event.target.closest("[data-select]");
  const area = box?.closest("[data-selection]");
  if (!area) return;
  const all = boxes(area);
  const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
  if (event.shiftKey && from >= 0) {
    for (const other of all.slice(from, to + 1)) other.checked = box.checked;
  }
  last = box;
  update(area);
});

document.addEventListener("change", (event) => {
  const area = event.target.closest("[data-selection]");
  if (!area) return;
  if (event.target.matches("[data-select-all]")) {
    for (const box of boxes(area)) box.checked = event.target.checked;
  }
  update(area);
});

function refresh() {
  document.querySelectorAll("[data-selection]").forEach(update);
}

// What was done to the selected rows is done: the next action is for others.
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.request.method === "POST" && ctx.response.status < 400) {
    for (const box of document.querySelectorAll("[data-select]:checked")) box.checked = false;
    last = null;
  }
  refresh();
});
window.addEventListener("pageshow", refresh);
