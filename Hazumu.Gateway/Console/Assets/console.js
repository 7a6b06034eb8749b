// The little that neither HTML nor Blazor does: copying, and what happens when the connection is lost.
document.addEventListener("click", event => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  navigator.clipboard?.writeText(text).then(() => {
    button.dataset.copied = "";
    setTimeout(() => delete button.dataset.copied, 1500);
  });
});

// A session that has ended leads to the page to sign in; a gateway that has been restarted has no page that this one could continue.
// The event does not bubble: it is caught on its way down.
document.addEventListener("components-reconnect-state-changed", async event => {
  const state = event.detail?.state;
  if (state === "failed" || state === "rejected") {
    location.reload();
  } else if (state === "show" || state === "retrying") {
    const answer = await fetch(document.baseURI, { redirect: "manual" }).catch(() => null);
    if (answer?.type === "opaqueredirect") location.reload();
  }
}, true);
