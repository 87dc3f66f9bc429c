// A shop that fails, with @sentry/node. What to do comes as JSON; ids of the events go out.
import * as Sentry from "@sentry/node";

const { dsn, scenario, options, arguments: given } = JSON.parse(process.argv[2]);

Sentry.init({
  dsn,
  release: "shop-node@2.0.0",
  environment: "testing",
  tracesSampleRate: 1,
  includeLocalVariables: true,
  ...options,
});

function reserve(article, wanted) {
  throw new RangeError(`only 2 of ${article} left, not ${wanted}`);
}

function checkout(article) {
  try {
    reserve(article, 3);
  } catch (cause) {
    throw new Error("checkout failed", { cause });
  }
}

const scenarios = {
  chained() {
    Sentry.setUser({ id: "43", email: "grace@example.com" });
    Sentry.setTag("customer_tier", "silver");
    Sentry.addBreadcrumb({ category: "cart", message: "added tea to the cart", level: "info" });
    const scope = Sentry.getCurrentScope();
    scope.addAttachment({ filename: "order.txt", data: "three teas", contentType: "text/plain" });
    try {
      checkout("tea");
    } catch (error) {
      return [Sentry.captureException(error)];
    }
  },

  message() {
    return [Sentry.captureMessage("the stock is low", "warning")];
  },

  feedback({ event_id: associatedEventId }) {
    const message = "I wanted three teas";
    Sentry.captureFeedback({ message, name: "Grace", email: "grace@example.com", associatedEventId });
    return [];
  },

  not_kept() {
    Sentry.startSpan({ name: "pay", op: "task" }, () => Sentry.startSpan({ name: "query" }, () => {}));
    return [];
  },
};

const ids = scenarios[scenario](given);
await Sentry.flush(10_000);
console.log(JSON.stringify(ids));
process.exit(0);
