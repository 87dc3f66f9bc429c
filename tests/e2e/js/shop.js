// A shop in the browser that fails, with @sentry/browser. The DSN and options are in the address.
import * as Sentry from "@sentry/browser";

const asked = new URLSearchParams(location.search);

Sentry.init({
  dsn: asked.get("dsn"),
  tunnel: asked.get("tunnel") ?? undefined,
  release: "shop-web@3.0.0",
  environment: "testing",
  tracesSampleRate: 1,
});
Sentry.setTag("customer_tier", "bronze");

function reserve(article) {
  throw new TypeError(`cannot reserve ${article}`);
}

document.querySelector("#checkout").addEventListener("click", () => reserve("tea"));
document.querySelector("#promise").addEventListener("click", () => {
  Promise.reject(new Error("paying took too long"));
});
document.querySelector("#feedback").addEventListener("click", () => {
  Sentry.captureFeedback({ message: "The button is broken", name: "Joan", email: "joan@example.com" });
});
document.querySelector("#pay").addEventListener("click", () => {
  Sentry.startSpan({ name: "pay", op: "task" }, () => {});
  Sentry.flush();
});
window.ready = true;
