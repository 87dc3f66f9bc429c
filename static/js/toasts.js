// Messages: those on the page fade by themselves; htmx answers bring more by the event "toast".

const ICONS = { success: "circle-check", error: "circle-alert", warning: "triangle-alert" };
const box = () => document.getElementById("toasts");

export function toast(kind, message) {
  const sprite = document.querySelector("svg.icon use").getAttribute("href").replace(/#.*/, "");
  const element = document.createElement("div");
  element.className = `toast toast-${kind}`;
  element.setAttribute("role", kind === "error" ? "alert" : "status");
  element.append(icon(`${sprite}#${ICONS[kind] ?? "info"}`, "icon"));
  const text = document.createElement("div");
  text.className = "grow wrap";
  text.textContent = message;
  const close = document.createElement("button");
  close.className = "button button-ghost button-icon button-small toast-close";
  close.type = "button";
  close.dataset.dismiss = ".toast";
  close.setAttribute("aria-label", "Dismiss");
  close.append(icon(`${sprite}#x`, "icon icon-sm"));
  element.append(text, close);
  box()?.append(element);
  fade(element);
}

function icon(href, className) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", href);
  svg.append(use);
  return svg;
}

function fade(element) {
  if (element.classList.contains("toast-error")) return;
  setTimeout(() => element.remove(), 6000);
}

document.addEventListener("toast", (event) => {
  for (const { kind, message } of event.detail.messages ?? []) toast(kind, message);
});

document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx) toast("error", "The server could not be reached. Try again in a moment.");
});

document.addEventListener("htmx:before:request", () => document.body.classList.add("busy"));
document.addEventListener("htmx:finally:request", () => document.body.classList.remove("busy"));

box()?.querySelectorAll(".toast").forEach(fade);
