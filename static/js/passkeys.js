// A button with data-passkey="create" or "get" asks the server what a passkey must sign
// (data-options), asks the browser for it, puts the answer into its form and sends that.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-passkey]");
  if (!button) return;
  const error = button.form.querySelector("[data-passkey-error]");
  error.hidden = true;
  button.disabled = true;
  try {
    const answer = await run(button);
    if (!answer) return;
    button.form.elements.credential.value = JSON.stringify(answer);
    button.form.submit();
  } catch (problem) {
    error.textContent = words(problem);
    error.hidden = false;
    button.disabled = false;
  }
});

// Back through the history: what was sent is used up.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[data-passkey]")) {
    button.disabled = false;
    button.form.elements.credential.value = "";
  }
});

async function run(button) {
  if (!window.PublicKeyCredential) throw new Refusal("This browser has no passkeys here. They need HTTPS.");
  const response = await fetch(button.dataset.options, {
    method: "POST",
    headers: { "X-CSRF-Token": button.form.elements.csrf.value },
  });
  if (response.redirected) {
    // The server asks for the password or a factor again first.
    location.assign(response.url);
    return null;
  }
  const options = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(options.detail ?? "The server did not answer. Try again.");
  const publicKey = decoded(options);
  const credential =
    button.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey })
      : await navigator.credentials.get({ publicKey });
  return encoded(credential);
}

class Refusal extends Error {}

function words(problem) {
  if (problem instanceof Refusal) return problem.message;
  if (problem.name === "NotAllowedError") return "No passkey was given. Try again.";
  if (problem.name === "InvalidStateError") return "This device has a passkey for your account already.";
  return "The passkey did not work. Try again.";
}

function decoded(options) {
  const plain = { ...options, challenge: bytes(options.challenge) };
  if (options.user) plain.user = { ...options.user, id: bytes(options.user.id) };
  for (const name of ["allowCredentials", "excludeCredentials"]) {
    if (options[name]) plain[name] = options[name].map((key) => ({ ...key, id: bytes(key.id) }));
  }
  return plain;
}

function encoded(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: {},
  };
}

function bytes(base64url) {
  const base64 = base64url.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

function text(buffer) {
  const binary = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
