// One stream of server-sent events for the page's [data-live] line, which says what is new.
// An element with data-live-reload loads the page again at the first message.

let source = null;
let address = "";
let created = 0;
let quietUntil = 0;

function connect() {
  const line = document.querySelector("[data-live]");
  if ((line?.dataset.live ?? "") === address) return;
  source?.close();
  address = line?.dataset.live ?? "";
  if (!address) return;
  source = new EventSource(address);
  source.addEventListener("project", (event) => tell(JSON.parse(event.data)));
  source.addEventListener("over", () => source.close());
}

function tell(news) {
  const line = document.querySelector("[data-live]");
  if (!line) return;
  if ("liveReload" in line.dataset) return location.reload();
  // What this page has just done comes back as news.
  if (!news.created && Date.now() < quietUntil) return;
  created += news.created ?? 0;
  const text = line.querySelector("[data-live-text]");
  text.textContent = created ? `${created} new ${created === 1 ? "issue" : "issues"}` : "New events";
  line.hidden = false;
}

document.addEventListener("htmx:after:swap", (event) => {
  quietUntil = Date.now() + 2000;
  if (event.detail.ctx.target?.querySelector?.("[data-live]")) created = 0;
  connect();
});
window.addEventListener("pagehide", () => source?.close());
window.addEventListener("pageshow", (event) => {
  if (event.persisted) address = "";
  connect();
});
