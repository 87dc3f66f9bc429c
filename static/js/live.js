// One stream of server-sent events a page. It tells the page's [data-live] line what is new, and any
// page when its reader may not see it any more; a page without news listens while it is in sight.
// An element with data-live-reload loads the page again at the first message.

const RETRY_MS = 30_000;
// An own form that changed the login is answered meanwhile, with its new cookie.
const GRACE_MS = 300;

let source = null;
let address = "";
let created = 0;
let quietUntil = 0;

const WATCH = "/live/page?path=";
const watch = () => WATCH + encodeURIComponent(location.pathname);

function connect() {
  if (!document.body.dataset.watch) return;
  const wanted = document.querySelector("[data-live]")?.dataset.live ?? watch();
  if (wanted === address || (document.hidden && wanted.startsWith(WATCH))) return;
  open(wanted);
}

function open(wanted) {
  close();
  address = wanted;
  source = new EventSource(wanted);
  source.addEventListener("project", (event) => tell(JSON.parse(event.data)));
  source.addEventListener("over", () => {
    close();
    setTimeout(wanted.startsWith(WATCH) ? refused : end, GRACE_MS);
  });
  source.addEventListener("error", ({ target }) => {
    if (target === source && target.readyState === EventSource.CLOSED) refused();
  });
}

function close() {
  source?.close();
  source = null;
  address = "";
}

// No stream to be had: because the page is not for this reader any more, or for lack of room.
async function refused() {
  let wait = RETRY_MS;
  try {
    const answer = await fetch(watch(), { method: "HEAD", redirect: "manual" });
    if (answer.type === "opaqueredirect" || answer.status === 204) return end();
    if (answer.ok && !source) wait = 0;
  } catch {
    // The server is away: ask again later.
  }
  setTimeout(() => {
    close();
    connect();
  }, wait);
}

function end() {
  close();
  delete document.body.dataset.watch;
  const note = document.getElementById("page-over");
  if (!note) return;
  const place = document.querySelector(".app-main") ?? document.querySelector("main");
  place.replaceChildren(note.content.cloneNode(true));
  for (const open of document.querySelectorAll(":popover-open")) open.hidePopover();
  place.querySelector("a").focus();
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
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) connect();
  else if (address.startsWith(WATCH)) close();
});
window.addEventListener("pagehide", close);
window.addEventListener("pageshow", connect);
