// Follows the notebook: asks for this very page again, and takes over what has changed. All words are the server's.
(() => {
  "use strict";
  // Airflow's own choice of light or dark, where somebody has made one.
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* A browser that keeps nothing: the system's choice then. */ }

  const byId = (id, inside = document) => inside.getElementById(id);
  let timer, shownAt = Date.now(), looking = false;

  const tick = () => {
    const clock = byId("elapsed");
    const seconds = Number(clock.dataset.elapsed) + Math.floor((Date.now() - shownAt) / 1000);
    const minutes = Math.floor(seconds / 60);
    clock.textContent = `${minutes ? `${minutes} min ` : ""}${seconds % 60} s so far`;
  };

  const takeOver = (page) => {
    const clock = byId("elapsed"), newClock = byId("elapsed", page);
    clock.dataset.elapsed = newClock.dataset.elapsed;
    clock.hidden = newClock.hidden;
    shownAt = Date.now();
    byId("action").elements.token.value = byId("action", page).elements.token.value;
    // Only what has changed, so that a screen reader hears news only and the focus stays.
    for (const part of document.querySelectorAll("[data-state]")) {
      const fresh = byId(part.id, page);
      if (fresh.dataset.state === part.dataset.state) continue;
      const hadFocus = part.contains(document.activeElement);
      part.replaceChildren(...fresh.childNodes);
      Object.assign(part.dataset, fresh.dataset);
      if (hadFocus) part.querySelector("button")?.focus();
    }
    document.title = page.title;
  };

  const look = async () => {
    clearTimeout(timer);
    if (document.hidden || looking) return;
    looking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", redirect: "manual" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      // Signed out, no door any more, or the task has begun anew for another notebook: the whole page says so.
      const name = (of) => of.querySelector("h1")?.textContent;
      if (!byId("status", page) || name(page) !== name(document)) return location.reload();
      byId("offline").hidden = true;
      takeOver(page);
    } catch {
      byId("offline").hidden = false;
    } finally {
      looking = false;
    }
    timer = setTimeout(look, 1000 * Number(byId("status").dataset.lookAgain));
  };

  const release = () => byId("action").querySelector("button")?.removeAttribute("aria-disabled");

  document.addEventListener("DOMContentLoaded", () => {
    if (!byId("status")) return;
    timer = setTimeout(look, 1000 * Number(byId("status").dataset.lookAgain));
    setInterval(tick, 1000);
    tick();
    document.addEventListener("visibilitychange", look);
    addEventListener("online", look);
    // A double click is one click.
    byId("action").addEventListener("submit", (event) => {
      if (event.submitter?.getAttribute("aria-disabled")) return event.preventDefault();
      event.submitter?.setAttribute("aria-disabled", "true");
      setTimeout(release, 5000);
    });
    addEventListener("pageshow", (event) => { if (event.persisted) { release(); look(); } });
  });
})();
