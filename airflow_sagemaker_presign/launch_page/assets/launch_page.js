// Follows the notebook: asks for this very page again, takes over what has changed, and opens what was started here.
// All words are the server's.
(() => {
  "use strict";
  const SLOWER_UNSEEN = 10;        // A tab in the background looks so many times less often.
  const LONGEST_WAIT = 30;         // Seconds between two looks while nobody answers.
  const ANSWER_WITHIN = 20_000;    // Milliseconds; after that nobody answers.
  const WISH_LIFE = 3_600_000;     // Milliseconds for which "Start and open" may open by itself ...
  const START_SHOWS = 30_000;      // ... and in which a start has to show.

  const byId = (id, inside = document) => inside.getElementById(id);
  const orNull = (does) => { try { return does(); } catch { return null; } };  // A browser may keep nothing for pages.
  const here = location.pathname;

  // Airflow's own choice of light or dark, where somebody has made one.
  const theme = orNull(() => localStorage.getItem("theme"));
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;

  let timer, failures = 0, refreshing = null, leaving = false, isSure = false, isSending = false, shownAt = Date.now();

  // What this tab's person wants opened: in the tab's own memory, so that no link can want it for them.
  const wish = {
    key: () => `sagemaker-notebooks ${here} ${document.querySelector("h1").textContent}`,
    keep: (what) => orNull(() => sessionStorage.setItem(wish.key(), JSON.stringify(what))),
    make: () => wish.keep({ at: Date.now(), id: String(Math.random()), moved: false }),
    drop: () => orNull(() => sessionStorage.removeItem(wish.key())),
    get: () => {
      const made = orNull(() => JSON.parse(sessionStorage.getItem(wish.key())));
      const age = Math.abs(Date.now() - made?.at);  // A clock may be set back.
      return age < WISH_LIFE ? { ...made, age } : null;
    },
    // A tab that was duplicated wants the same; it is done once.
    isDone: (id) => {
      const done = orNull(() => localStorage.getItem("sagemaker-notebooks"));
      orNull(() => localStorage.setItem("sagemaker-notebooks", id));
      return done === id;
    },
  };

  const button = () => byId("action").querySelector("button");
  const hold = () => button()?.setAttribute("aria-disabled", "true");
  const release = () => button()?.removeAttribute("aria-disabled");
  const press = () => {
    isSure = isSending = true;
    button().click();
    hold();
    setTimeout(() => { isSending = false; release(); }, 5000);
  };

  const fulfil = () => {
    const wanted = wish.get(), pressable = button(), isMoving = Boolean(byId("status").querySelector(".busy"));
    byId("opens").hidden = !(wanted && isMoving);
    if (wanted && isMoving) wish.keep({ ...wanted, moved: true });
    if (!wanted || !pressable) return;
    if (pressable.value === "start") {
      // It failed or was stopped, or the start does not show.
      if (wanted.moved || wanted.age > START_SHOWS) wish.drop();
      return;
    }
    wish.drop();
    // Nobody is looking: they find the title changed, and the button.
    if (document.hidden || wish.isDone(wanted.id)) return;
    press();
  };

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

  // What only a whole page can show: the login, the end of the link, another notebook, another version of this page.
  const leave = () => {
    leaving = true;
    location.replace(here);
    return false;
  };

  const offline = () => {
    failures += 1;
    byId("offline").hidden = false;
    return false;
  };

  const ask = async () => {
    const answer = await fetch(here, {
      headers: { Accept: "text/html" }, cache: "no-store", redirect: "manual",
      signal: AbortSignal.timeout?.(ANSWER_WITHIN),
    });
    return [answer, new DOMParser().parseFromString(await answer.text(), "text/html")];
  };

  const isOurs = (page) => page.querySelector("main[data-frame]");

  // Whether the page is still what it was, or has been brought up to date.
  const refreshOnce = async () => {
    try {
      const [answer, page] = await ask();
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) return leave();
      // A proxy's own page, while Airflow starts anew, or Airflow's in need.
      const isUsual = byId("status", page);
      if (!isOurs(page) || (!isUsual && (answer.status >= 500 || answer.status === 429))) return offline();
      if (!isUsual || isOurs(page).dataset.frame !== isOurs(document).dataset.frame) return leave();
      takeOver(page);
    } catch {
      return offline();
    }
    failures = 0;
    byId("offline").hidden = true;
    fulfil();
    return true;
  };

  const refreshLater = () => {
    clearTimeout(timer);
    if (leaving) return;
    const usual = Number(byId("status").dataset.refreshSeconds);
    const seconds = failures ? Math.min(LONGEST_WAIT, usual * 2 ** (failures - 1)) : usual;
    timer = setTimeout(refresh, 1000 * seconds * (document.hidden ? SLOWER_UNSEEN : 1));
  };

  const refresh = () => {
    clearTimeout(timer);
    refreshing ??= refreshOnce().finally(() => { refreshing = null; refreshLater(); });
    return refreshing;
  };

  // Looks before it sends: nobody is left on a proxy's error page or at a login that forgot what they wanted.
  const submit = async (event) => {
    if (isSure) { isSure = false; return; }
    event.preventDefault();
    const pressed = event.submitter ?? button();
    if (!pressed || pressed.getAttribute("aria-disabled")) return;  // A double click is one click.
    const action = pressed.value;
    hold();
    if (action === "start") wish.make();
    const isThere = await refresh();
    if (isThere && button()?.value === action) {
      press();
    } else if (!leaving && !isSending) {
      if (!isThere) wish.drop();
      release();
    }
  };

  const follow = () => {
    tick();
    setInterval(tick, 1000);
    const [came] = performance.getEntriesByType("navigation");
    // Who went elsewhere in this tab did not stay for it; and what AWS refused is not on its way.
    if (came?.type === "back_forward" || document.querySelector(".refused")) wish.drop();
    byId("action").addEventListener("submit", submit);
    document.addEventListener("visibilitychange", () => (document.hidden ? refreshLater() : refresh()));
    addEventListener("online", refresh);
    addEventListener("pageshow", (event) => { if (event.persisted) { wish.drop(); release(); refresh(); } });
    refreshLater();
    fulfil();
  };

  const countDown = (clock) => {
    const end = Date.now() + 1000 * Number(clock.textContent);
    const count = setInterval(async () => {
      const seconds = Math.ceil((end - Date.now()) / 1000);
      clock.textContent = Math.max(0, seconds);
      if (seconds > 0) return;
      clearInterval(count);
      const comeBack = () => ask().then(([, page]) => (isOurs(page) ? leave() : setTimeout(comeBack, 5000)))
        .catch(() => setTimeout(comeBack, 5000));
      comeBack();
    }, 500);
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (byId("status")) follow();
    if (byId("countdown")) countDown(byId("countdown"));
  });
})();
