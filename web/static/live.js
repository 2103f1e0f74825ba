// What a page does beyond being a page: streams replace their element, forms replace theirs, the theme is remembered.
// Without this file every page works; it is only not live.
const root = document.documentElement;

function theme(name) {
  if (name) root.dataset.theme = name;
  else delete root.dataset.theme;
}

try {
  theme(localStorage.getItem("theme"));
} catch {
  // No storage: the system's own theme stands.
}

const AGAIN_AFTER = 5000; // a stream that was refused is not tried again by the browser itself

function follow(element) {
  const source = new EventSource(element.dataset.live);
  const told = document.querySelector(element.dataset.told || "[data-connection]");
  source.onopen = () => told && (told.textContent = "live");
  source.onmessage = (message) => replace(element, message.data);
  source.onerror = () => {
    if (told) told.textContent = "not live; this is as of the time shown";
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, AGAIN_AFTER, element);
  };
  addEventListener("pagehide", () => source.close(), { once: true });
}

function replace(element, html) {
  const focused = document.activeElement && element.contains(document.activeElement) && document.activeElement.id;
  const open = [...element.querySelectorAll("details[open][id]")].map((one) => one.id);
  element.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus();
}

async function send(form, submitter) {
  const target = document.querySelector(form.dataset.swap);
  const body = new URLSearchParams(new FormData(form, submitter));
  const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Fragment": form.dataset.swap } });
  if (answer.redirected || !target) return location.assign(answer.url);
  replace(target, await answer.text());
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) return event.preventDefault(); // a double click sends one message
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
  addEventListener("pageshow", () => delete form.dataset.sent, { once: true });
  if (!form.dataset.swap) return;
  event.preventDefault();
  send(form, event.submitter).finally(() => {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  });
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-set-theme]");
  if (!button) return;
  theme(button.dataset.setTheme);
  try {
    localStorage.setItem("theme", button.dataset.setTheme);
  } catch {
    // Not remembered, then.
  }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-go]")) event.target.form.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea")) return;
  const rows = [...document.querySelectorAll("[data-row]")];
  const here = rows.indexOf(document.activeElement);
  if (event.key === "j") rows[Math.min(here + 1, rows.length - 1)]?.focus();
  else if (event.key === "k") rows[Math.max(here - 1, 0)]?.focus();
  else if (event.key === "/") document.querySelector("[data-search]")?.focus();
  else return;
  event.preventDefault();
});

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-live]").forEach(follow);
});
