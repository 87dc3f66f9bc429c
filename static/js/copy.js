// data-copy="text", or data-copy-from="selector" for the text of an element.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const from = button.dataset.copyFrom;
  const text = from ? document.querySelector(from)?.textContent : button.dataset.copy;
  const done = await write(text ?? "");
  const use = button.querySelector("use");
  const href = use?.getAttribute("href");
  const label = button.getAttribute("aria-label");
  use?.setAttribute("href", href.replace(/#.*/, done ? "#check" : "#x"));
  button.setAttribute("aria-label", done ? "Copied" : "Could not copy");
  setTimeout(() => {
    use?.setAttribute("href", href);
    if (label) button.setAttribute("aria-label", label);
    else button.removeAttribute("aria-label");
  }, 1500);
});

async function write(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not allowed: the way below may be.
    }
  }
  // Plain http away from localhost has no clipboard API.
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
