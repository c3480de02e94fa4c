// Passkeys: between the browser's own dialogue and a form that is posted as any other.
"use strict";
(() => {
  const octets = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const listed = (credentials) => (credentials || []).map((one) => ({ ...one, id: octets(one.id) }));
  const described = (credential, response) => JSON.stringify({
    id: credential.id, rawId: text(credential.rawId), type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(), response,
  });

  async function create(options) {
    const publicKey = { ...options, challenge: octets(options.challenge), user: { ...options.user, id: octets(options.user.id) }, excludeCredentials: listed(options.excludeCredentials) };
    const made = await navigator.credentials.create({ publicKey });
    return described(made, {
      clientDataJSON: text(made.response.clientDataJSON), attestationObject: text(made.response.attestationObject),
      transports: made.response.getTransports ? made.response.getTransports() : [],
    });
  }

  async function get(options) {
    const publicKey = { ...options, challenge: octets(options.challenge), allowCredentials: listed(options.allowCredentials) };
    const shown = await navigator.credentials.get({ publicKey });
    return described(shown, {
      clientDataJSON: text(shown.response.clientDataJSON), authenticatorData: text(shown.response.authenticatorData),
      signature: text(shown.response.signature), userHandle: shown.response.userHandle ? text(shown.response.userHandle) : null,
    });
  }

  const reasons = {
    NotAllowedError: "It was cancelled, or took too long. Try again.",
    InvalidStateError: "This device or key is among your passkeys already.",
    SecurityError: "The browser allows passkeys only under this server's own name, with a certificate that it trusts.",
  };

  document.querySelectorAll("form[data-passkey]").forEach((form) => {
    const button = form.querySelector("[data-passkey-button]");
    const problem = form.querySelector("[data-passkey-problem]");
    const tell = (words) => { problem.textContent = words; problem.hidden = !words; };
    button.addEventListener("click", async () => {
      if (!form.reportValidity()) return;
      if (!window.PublicKeyCredential) { tell("This browser knows no passkeys."); return; }
      tell("");
      button.disabled = true;
      try {
        const options = JSON.parse(form.dataset.options).publicKey;
        form.elements.credential.value = await (form.dataset.passkey === "create" ? create(options) : get(options));
        form.submit();
      } catch (error) {
        tell(reasons[error.name] || `The browser says: ${error.message}`);
        button.disabled = false;
      }
    });
  });
})();
