// What pages do while they are open: times that tick, live cells, keys, filters.
// Everything works without it; it starts nothing and changes nothing on the server.
(function () {
  "use strict";

  const root = document.documentElement;
  const body = document.body;
  const words = JSON.parse(body.dataset.words);
  const favicons = JSON.parse(body.dataset.favicons);
  // How this reader's computer writes the language of the page.
  const language = navigator.languages.find((one) => one.split("-")[0] === root.lang) || (root.lang === "en" ? "en-GB" : root.lang);
  const byId = (id) => document.getElementById(id);
  const fill = (text, values) =>
    text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

  // Times, in the zone of the reader.

  const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const seconds = new Intl.DateTimeFormat(language, { timeStyle: "medium", hourCycle: "h23" });
  const weekday = new Intl.DateTimeFormat(language, { weekday: "short", day: "numeric", month: "short" });
  const dated = new Intl.DateTimeFormat(language, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const whole = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long", hourCycle: "h23" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const units = root.lang === "fr" ? ["s", "min", "h", "j"] : ["s", "min", "h", "d"];

  function dayOf(moment) {
    return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
  }

  function day(moment, now) {
    const ago = Math.round((dayOf(moment) - dayOf(now)) / 86400000);
    if (ago === 0 || ago === -1) return relative.format(ago, "day");
    return (moment.getFullYear() === now.getFullYear() ? weekday : dated).format(moment).replace(/,/g, "");
  }

  function span(total) {
    const rest = Math.max(0, Math.round(total));
    const parts = [rest % 60, Math.floor(rest / 60) % 60, Math.floor(rest / 3600) % 24, Math.floor(rest / 86400)];
    let first = 3;
    while (first > 0 && !parts[first]) first -= 1;
    const shown = [];
    for (let at = first; at >= Math.max(0, first - 1); at -= 1) {
      if (parts[at] || at === first) shown.push(parts[at] + "\u00a0" + units[at]);
    }
    return shown.join(" ");
  }

  function ago(moment, now) {
    const past = (now - moment) / 1000;
    if (past < 60) return relative.format(-Math.max(0, Math.floor(past)), "second");
    if (past < 3600) return relative.format(-Math.floor(past / 60), "minute");
    if (past < 86400) return relative.format(-Math.floor(past / 3600), "hour");
    return relative.format(-Math.floor(past / 86400), "day");
  }

  // The clock of this computer may be wrong: what lasts is measured by the server's.
  const forms = {
    moment: (when, now) => day(when, now) + " " + clock.format(when),
    day: (when, now) => day(when, now),
    ago,
    lasting: (when, now) => span((now - when) / 1000),
  };

  function showTimes(within) {
    const now = new Date();
    for (const element of within.querySelectorAll("time[data-as]")) {
      const when = new Date(element.dateTime);
      const text = forms[element.dataset.as](when, now);
      // Only what differs: a selection stays where it is.
      if (element.textContent !== text) element.textContent = text;
      if (!element.dataset.whole) {
        element.title = whole.format(when);
        element.dataset.whole = "1";
      }
    }
  }

  function showAge() {
    const age = byId("age");
    const now = new Date();
    if (age && live.told) age.textContent = fill(words.updated, { time: ago(live.told, now) });
    const data = byId("data-age");
    if (data && live.told) data.textContent = ago(live.told, now);
    const time = byId("clock");
    if (time) time.textContent = seconds.format(now);
  }

  // Live pages. The server only says that something has changed; the page is fetched again
  // and its cells are swapped by their ids. Rows stay where they are.

  const live = { stream: null, told: null, lost: null, mark: "", busy: false, again: false, timer: 0, back: 0 };
  const before = new Map();
  const changed = new Set();
  const announced = { last: 0, waiting: new Map(), timer: 0 };
  const NAMED = 3;
  const CALM = 1000;
  const SILENCE = 20000;

  function rowOf(element) {
    return element.closest("[data-row]");
  }

  function stateIn(element) {
    const state = element.querySelector("[data-state]");
    return state ? state.dataset.state : null;
  }

  function open() {
    if (!root.dataset.live || document.hidden || live.stream) return;
    const address = new URL(root.dataset.live, location.href);
    if (live.mark) address.searchParams.set("seen", live.mark);
    const stream = new EventSource(address);
    live.stream = stream;
    const hear = (handle) => (event) => {
      live.told = new Date();
      if (event.lastEventId) live.mark = event.lastEventId;
      handle(event);
    };
    stream.addEventListener("open", hear(found));
    stream.addEventListener("alive", hear(found));
    stream.addEventListener("changed", hear(() => { found(); refresh(); }));
    stream.addEventListener("lost", () => lose());
    stream.addEventListener("output", hear((event) => {
      found();
      document.dispatchEvent(new CustomEvent("output", { detail: JSON.parse(event.data) }));
    }));
    stream.addEventListener("error", () => {
      lose();
      if (stream.readyState === EventSource.CLOSED) {
        close();
        live.timer = setTimeout(open, 3000);
      }
    });
  }

  function close() {
    clearTimeout(live.timer);
    if (live.stream) live.stream.close();
    live.stream = null;
  }

  function lose() {
    if (!live.lost) live.lost = live.told || new Date();
    const band = byId("stale");
    band.textContent = fill(words.stale, { time: clock.format(live.lost) });
    band.hidden = false;
    root.classList.add("stale");
    const dot = byId("live");
    if (dot) dot.hidden = true;
  }

  function found() {
    const dot = byId("live");
    if (dot) dot.hidden = false;
    if (!live.lost) return;
    live.lost = null;
    byId("stale").hidden = true;
    root.classList.remove("stale");
    comeBack();
  }

  // A page that was away is fetched once, also where the server says next that it has changed.
  function comeBack() {
    clearTimeout(live.back);
    live.back = setTimeout(refresh, 300);
  }

  function refresh() {
    clearTimeout(live.back);
    if (live.busy) {
      live.again = true;
      return;
    }
    live.busy = true;
    const done = () => setTimeout(() => {
      live.busy = false;
      if (live.again) {
        live.again = false;
        refresh();
      }
    }, CALM);
    window.htmx
      .ajax("GET", location.pathname + location.search, { target: "body", swap: "none" })
      .then(done, done);
  }

  function selected(element) {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && selection.containsNode(element, true);
  }

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const target = event.detail.target;
    const fragment = event.detail.fragment;
    const now = fragment.querySelector("#" + CSS.escape(target.id)) || fragment;
    showTimes(now);
    const same = now.innerHTML === target.innerHTML;
    // Whoever has the focus in a cell, or has marked its text, keeps it as it is.
    if (same || target.contains(document.activeElement) || selected(target)) {
      event.detail.shouldSwap = false;
    }
    const row = rowOf(target);
    if (row && row.id && stateIn(now)) {
      if (!before.has(target.id)) before.set(target.id, stateIn(target));
      const differs = before.get(target.id) !== stateIn(now);
      if (differs && !changed.has(row.id)) announce(row, now);
      changed[differs ? "add" : "delete"](row.id);
    }
  });
  // What is new has no place on this page until the reader wants it.
  document.addEventListener("htmx:oobErrorNoTarget", (event) => {
    const id = event.detail.content && event.detail.content.id;
    if (id && !/-(last|took|chart|share|mail)$/.test(id)) changed.add(id.replace(/-state$/, ""));
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    // A page that says what is wrong with the records is not the page that is open.
    if (event.detail.xhr.status !== 200) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.xhr.status !== 200) return;
    live.told = new Date();
    showTimes(document);
    const sign = document.querySelector("#sentence [data-favicon]");
    if (sign) byId("favicon").href = favicons[sign.dataset.favicon];
    showChanges();
    document.dispatchEvent(new CustomEvent("refreshed"));
  });

  function showChanges() {
    const button = byId("changes");
    button.hidden = changed.size === 0;
    button.textContent = fill(changed.size === 1 ? words.changes_one : words.changes_many, { count: changed.size });
  }

  function textOf(element, without) {
    const copy = element.cloneNode(true);
    for (const part of copy.querySelectorAll(without)) part.remove();
    return copy.textContent.trim();
  }

  // At most one announcement in ten seconds, and only of states: which, and of what.
  function announce(row, now) {
    const name = textOf(row.querySelector(".open") || row.querySelector(".name"), ".state");
    announced.waiting.set(name, textOf(now.querySelector("[data-state]"), ".sign"));
    if (announced.timer) return;
    const wait = Math.max(500, announced.last + 10000 - Date.now());
    announced.timer = setTimeout(() => {
      announced.timer = 0;
      announced.last = Date.now();
      const told = [...announced.waiting].map(([one, word]) => fill(words.now, { name: one, value: word }));
      const more = told.length - NAMED;
      if (more > 0) told.splice(NAMED, more, fill(more === 1 ? words.more_one : words.more_many, { count: more }));
      byId("announce").textContent = told.join(", ");
      announced.waiting.clear();
    }, wait);
  }

  byId("changes").addEventListener("click", () => location.reload());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
    } else if (root.dataset.live) {
      open();
      comeBack();
    }
  });
  // A page that comes back from the history of the browser is as old as it was left.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      close();
      open();
      comeBack();
    }
  });
  window.addEventListener("pagehide", close);

  // Filters that need no request.

  for (const input of document.querySelectorAll("[data-filter]")) {
    const table = document.querySelector(input.dataset.filter);
    input.addEventListener("input", () => {
      const text = input.value.trim().toLowerCase();
      for (const row of table.querySelectorAll("[data-name]")) {
        row.hidden = !row.dataset.name.includes(text);
      }
    });
    input.form.addEventListener("change", (event) => {
      if (event.target.type === "checkbox") input.form.requestSubmit();
    });
  }

  // Commands to copy.

  if (navigator.clipboard) {
    for (const command of document.querySelectorAll(".command")) addCopy(command);
  }

  function addCopy(command) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = words.copy;
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(command.querySelector("code").textContent).then(() => {
        button.textContent = words.copied;
        setTimeout(() => { button.textContent = words.copy; }, 2000);
      });
    });
    command.append(" ", button);
  }

  // Light or dark.

  function turn() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const shown = root.dataset.theme || (dark ? "dark" : "light");
    root.dataset.theme = shown === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch (refused) {
      // It holds for this page then.
    }
    document.dispatchEvent(new CustomEvent("themed"));
  }

  const theme = byId("theme");
  theme.hidden = false;
  theme.addEventListener("click", turn);

  // Keys. A page adds its own as elements with data-key: a field gets the focus, a box is
  // ticked, a link is followed.

  function rows() {
    return [...document.querySelectorAll("[data-row] .open")].filter((link) => link.offsetParent);
  }

  function move(step) {
    const links = rows();
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1);
    links[next].focus();
    links[next].scrollIntoView({ block: "nearest" });
  }

  function typing(element) {
    return element.isContentEditable || (element.matches("input, textarea, select") && element.type !== "checkbox");
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "j" || event.key === "k") {
      event.preventDefault();
      move(event.key === "j" ? 1 : -1);
      return;
    }
    const found = [...document.querySelectorAll("[data-key]")].filter((one) => one.dataset.key === event.key).pop();
    if (!found) return;
    event.preventDefault();
    if (found.matches("input[type=search], input[type=text]")) found.focus();
    else found.click();
  });

  showTimes(document);
  live.told = root.dataset.live ? new Date() : null;
  showAge();
  setInterval(() => {
    showTimes(document);
    showAge();
    if (live.stream && live.told && Date.now() - live.told > SILENCE) lose();
  }, 1000);
  open();

  window.dashboard = { showTimes, refresh, fill, language };
})();
