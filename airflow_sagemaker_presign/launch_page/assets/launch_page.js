// Keeps the page up to date: fetches this page again, replaces what has changed, and opens a notebook that was started
// here. All texts come from the server.
(() => {
  "use strict";
  const HIDDEN_TAB_FACTOR = 10;         // A tab in the background refreshes this many times less often.
  const MAX_RETRY_SECONDS = 30;         // The longest pause between two requests while the server does not respond.
  const REQUEST_TIMEOUT_MS = 20_000;
  const INTENT_LIFETIME_MS = 3_600_000; // How long "Start and open" may open the notebook by itself.
  const START_GRACE_MS = 30_000;        // How soon after that a start must show in the status.

  const byId = (id, inside = document) => inside.getElementById(id);
  const orNull = (does) => { try { return does(); } catch { return null; } };  // A browser may deny storage.
  const here = location.pathname;

  // The theme that the user has chosen in Airflow, if any.
  const theme = orNull(() => localStorage.getItem("theme"));
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;

  let timer, failures = 0, refreshing = null, leaving = false, isSure = false, isSending = false, shownAt = Date.now();

  // The user's intent to open the notebook; in the tab's session storage, so that no link can set it.
  const intent = {
    key: () => `sagemaker-notebooks ${here} ${document.querySelector("h1").textContent}`,
    keep: (what) => orNull(() => sessionStorage.setItem(intent.key(), JSON.stringify(what))),
    make: () => intent.keep({ at: Date.now(), id: String(Math.random()), moved: false }),
    drop: () => orNull(() => sessionStorage.removeItem(intent.key())),
    get: () => {
      const made = orNull(() => JSON.parse(sessionStorage.getItem(intent.key())));
      const age = Math.abs(Date.now() - made?.at);  // A clock may be set back.
      return age < INTENT_LIFETIME_MS ? { ...made, age } : null;
    },
    // A duplicated tab has the same intent, which is carried out once.
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
    const wanted = intent.get(), pressable = button(), isMoving = Boolean(byId("status").querySelector(".busy"));
    byId("opens").hidden = !(wanted && isMoving);
    if (wanted && isMoving) intent.keep({ ...wanted, moved: true });
    if (!wanted || !pressable) return;
    if (pressable.value === "start") {
      // The start failed, was stopped, or has no visible effect.
      if (wanted.moved || wanted.age > START_GRACE_MS) intent.drop();
      return;
    }
    if (pressable.value !== "open") return;
    intent.drop();
    // In a hidden tab, the changed title and the button are enough.
    if (document.hidden || intent.isDone(wanted.id)) return;
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
    // Replace only what has changed, so that a screen reader announces changes only and the focus stays.
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

  // Reload for what only a whole page can show: the login, an expired link, another notebook or version of this page.
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

  const fetchPage = async () => {
    const response = await fetch(here, {
      headers: { Accept: "text/html" }, cache: "no-store", redirect: "manual",
      signal: AbortSignal.timeout?.(REQUEST_TIMEOUT_MS),
    });
    return [response, new DOMParser().parseFromString(await response.text(), "text/html")];
  };

  const isOurs = (page) => page.querySelector("main[data-frame]");

  // Returns whether the page is up to date.
  const refreshOnce = async () => {
    try {
      const [response, page] = await fetchPage();
      if (response.type === "opaqueredirect" || response.status === 401 || response.status === 403) return leave();
      // A proxy's error page while Airflow restarts, or an error page of Airflow.
      const isUsual = byId("status", page);
      if (!isOurs(page) || (!isUsual && (response.status >= 500 || response.status === 429))) return offline();
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
    const seconds = failures ? Math.min(MAX_RETRY_SECONDS, usual * 2 ** (failures - 1)) : usual;
    timer = setTimeout(refresh, 1000 * seconds * (document.hidden ? HIDDEN_TAB_FACTOR : 1));
  };

  const refresh = () => {
    clearTimeout(timer);
    refreshing ??= refreshOnce().finally(() => { refreshing = null; refreshLater(); });
    return refreshing;
  };

  // Refreshes before it submits, so that no user gets a proxy's error page, or a login that loses the action.
  const submit = async (event) => {
    if (isSure) { isSure = false; return; }
    event.preventDefault();
    const pressed = event.submitter ?? button();
    if (!pressed || pressed.getAttribute("aria-disabled")) return;  // A double click is one click.
    const action = pressed.value;
    hold();
    if (action === "start") intent.make();
    const isThere = await refresh();
    if (isThere && button()?.value === action) {
      press();
    } else if (!leaving && !isSending) {
      if (!isThere) intent.drop();
      release();
    }
  };

  const follow = () => {
    tick();
    setInterval(tick, 1000);
    const [came] = performance.getEntriesByType("navigation");
    // A user who left this page and came back no longer waits; neither does one whose request AWS refused.
    if (came?.type === "back_forward" || document.querySelector(".refused")) intent.drop();
    byId("action").addEventListener("submit", submit);
    document.addEventListener("visibilitychange", () => (document.hidden ? refreshLater() : refresh()));
    addEventListener("online", refresh);
    addEventListener("pageshow", (event) => { if (event.persisted) { intent.drop(); release(); refresh(); } });
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
      const comeBack = () => fetchPage().then(([, page]) => (isOurs(page) ? leave() : setTimeout(comeBack, 5000)))
        .catch(() => setTimeout(comeBack, 5000));
      comeBack();
    }, 500);
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (byId("status")) follow();
    if (byId("countdown")) countDown(byId("countdown"));
  });
})();
