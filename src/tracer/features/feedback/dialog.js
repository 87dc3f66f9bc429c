function (texts) {
  "use strict";
  // Sends to the address that this script came from: it has the DSN and the event id.
  const address = document.currentScript && document.currentScript.src;
  const before = document.activeElement;
  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });

  // A constructed sheet needs no 'unsafe-inline' in the page's own policy.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { all: initial; color-scheme: light dark; }
    dialog {
      box-sizing: border-box; width: min(30rem, calc(100vw - 2rem)); padding: 1.5rem; border: 0;
      border-radius: 0.75rem; box-shadow: 0 1.5rem 4rem rgb(0 0 0 / 0.35);
      background: light-dark(#ffffff, #1b1c21); color: light-dark(#18181b, #ececf1);
      font: 0.9375rem/1.5 system-ui, sans-serif;
    }
    dialog::backdrop { background: rgb(0 0 0 / 0.5); }
    h2 { margin: 0 0 0.25rem; font-size: 1.125rem; }
    p { margin: 0 0 1rem; color: light-dark(#5b5b66, #a9a9b5); }
    label { display: block; margin-bottom: 0.75rem; font-weight: 500; }
    input, textarea {
      box-sizing: border-box; width: 100%; margin-top: 0.25rem; padding: 0.5rem 0.625rem;
      border: 1px solid light-dark(#8c8c99, #6a6a78); border-radius: 0.375rem;
      background: light-dark(#ffffff, #121317); color: inherit; font: inherit;
    }
    textarea { min-height: 6rem; resize: vertical; }
    [aria-invalid="true"] { border-color: #d0382c; }
    [role="alert"] { margin-bottom: 0.75rem; color: light-dark(#b3261e, #ff8a80); }
    [role="alert"]:empty { display: none; }
    div { display: flex; gap: 0.5rem; justify-content: flex-end; }
    button {
      padding: 0.5rem 1rem; border: 1px solid light-dark(#8c8c99, #6a6a78);
      border-radius: 0.375rem; background: transparent; color: inherit; font: inherit;
      font-weight: 500; cursor: pointer;
    }
    button[type="submit"] { border-color: transparent; background: #4049d6; color: #ffffff; }
    button:disabled { opacity: 0.6; cursor: default; }
    :focus-visible { outline: 2px solid #4049d6; outline-offset: 2px; }
  `);
  root.adoptedStyleSheets = [sheet];

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function field(kind, name, label, attributes) {
    const input = make(kind, { name, ...attributes });
    input.value = texts[name] || "";
    return make("label", {}, label, input);
  }

  const alert = make("p", { role: "alert" });
  const send = make("button", { type: "submit" }, texts.labelSubmit);
  const close = make("button", { type: "button" }, texts.labelClose);
  const form = make(
    "form",
    { novalidate: "" },
    field("input", "name", texts.labelName, { maxlength: "128", autocomplete: "name" }),
    field("input", "email", texts.labelEmail, { type: "email", maxlength: "254", autocomplete: "email" }),
    field("textarea", "comments", texts.labelComments, { maxlength: "4096", required: "" }),
    alert,
    make("div", {}, close, send),
  );
  const title = make("h2", { id: "title" }, texts.title);
  const intro = make("p", {}, `${texts.subtitle} ${texts.subtitle2}`);
  const dialog = make("dialog", { "aria-labelledby": "title" }, title, intro, form);
  root.append(dialog);

  function refuse(errors) {
    for (const input of form.elements) {
      if (input.name) input.setAttribute("aria-invalid", String(input.name in errors));
    }
    alert.textContent = Object.keys(errors).length ? texts.errorFormEntry : texts.errorGeneric;
    form.querySelector('[aria-invalid="true"]')?.focus();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    alert.textContent = "";
    send.disabled = true;
    try {
      const response = await fetch(address, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams(new FormData(form)),
      });
      if (response.ok) {
        form.replaceWith(make("div", {}, close));
        intro.textContent = texts.successMessage;
        close.focus();
      } else {
        const answer = await response.json().catch(() => ({}));
        refuse(answer.errors || {});
      }
    } catch {
      refuse({});
    } finally {
      send.disabled = false;
    }
  });

  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    host.remove();
    before?.focus?.();
    // SDKs wait for this to call the page's `onClose`.
    window.postMessage("__sentry_reportdialog_closed__", "*");
  });

  document.body.append(host);
  dialog.showModal();
  form.elements.namedItem(texts.name ? (texts.email ? "comments" : "email") : "name").focus();
}
