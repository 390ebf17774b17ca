// What the page of an output does while it is open: it follows what is printed, loads lines
// in between, and goes from mark to mark and from match to match.
(function () {
  "use strict";

  const output = document.getElementById("output");
  const byId = (id) => document.getElementById(id);

  function step(selector, forward) {
    const found = [...document.querySelectorAll(selector)];
    if (!found.length) return;
    const at = found.findIndex((one) => one.classList.contains("here"));
    const from = at < 0 && !forward ? 0 : at;
    const next = found[(from + (forward ? 1 : -1) + found.length) % found.length];
    if (at >= 0) found[at].classList.remove("here");
    next.classList.add("here");
    next.scrollIntoView({ block: "center" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, textarea, select")) return;
    if (event.key === "e" || event.key === "E") step(".l.error, .l.traceback, .l.warning", event.key === "e");
    if (event.key === "n" || event.key === "N") step("mark", event.key === "n");
  });

  if (!output) return;

  // Whether lines are wrapped is kept for the reader.

  const wrap = byId("wrap");
  function wrapped(on) {
    output.classList.toggle("wrapped", on);
    wrap.setAttribute("aria-pressed", String(on));
  }
  let kept = "";
  try {
    kept = localStorage.getItem("wrap") || "";
  } catch (refused) {
    // It holds for this page then.
  }
  wrap.hidden = false;
  wrapped(kept === "1");
  wrap.addEventListener("click", () => {
    const on = !output.classList.contains("wrapped");
    wrapped(on);
    try {
      localStorage.setItem("wrap", on ? "1" : "");
    } catch (refused) {
      // As above.
    }
  });

  // A link to several lines: #L120-L128.

  function pick() {
    for (const line of output.querySelectorAll(".l.picked")) line.classList.remove("picked");
    const range = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash);
    if (!range) return;
    const [first, last] = [Number(range[1]), Number(range[2] || range[1])];
    const more = output.querySelector("[data-more]");
    if (more && !byId("L" + first) && first < Number(more.dataset.until)) {
      // It lies between the lines that are shown.
      location.replace("?" + new URLSearchParams([...new URLSearchParams(location.search), ["from", Math.max(1, first - 20)]]) + location.hash);
      return;
    }
    if (!range[2]) return;
    for (let number = first; number <= Math.min(last, first + 5000); number += 1) {
      const line = byId("L" + number);
      if (line) line.classList.add("picked");
    }
    const line = byId("L" + first);
    if (line) line.scrollIntoView({ block: "center" });
  }
  window.addEventListener("hashchange", pick);
  output.addEventListener("click", (event) => {
    const link = event.target.closest(".l > a");
    const start = /^#L(\d+)/.exec(location.hash);
    if (!link || !event.shiftKey || !start) return;
    event.preventDefault();
    const [a, b] = [Number(start[1]), Number(link.hash.slice(2))].sort((x, y) => x - y);
    location.hash = "#L" + a + "-L" + b;
  });
  pick();
  // What failed opens at its traceback.
  const opened = output.dataset.open && byId(output.dataset.open);
  if (opened && !location.hash) opened.scrollIntoView({ block: "center" });

  function fetched(query) {
    return fetch(output.dataset.part + "?" + query, { headers: { "HX-Request": "true" } }).then((answer) => {
      if (!answer.ok) throw new Error(answer.status);
      return answer.text();
    }).then((text) => new DOMParser().parseFromString(text, "text/html").body.firstElementChild);
  }

  // Lines in between.

  const more = output.querySelector("[data-more]");
  if (more) {
    more.addEventListener("click", (event) => {
      event.preventDefault();
      if (more.dataset.busy) return;
      more.dataset.busy = "1";
      fetched("from=" + more.dataset.more + "&until=" + more.dataset.until).then((part) => {
        delete more.dataset.busy;
        if (!part.children.length) return;
        byId("gap").previousElementSibling.append(...part.childNodes);
        more.dataset.more = part.dataset.after;
        if (Number(part.dataset.after) >= Number(more.dataset.until)) byId("gap").hidden = true;
      }, () => { location.href = more.href; });
    });
  }

  // What is printed while the page is open. At the end of the page it is followed; whoever
  // scrolls up stays where he is.

  if (!output.dataset.follow) return;
  const resume = byId("resume");
  let last = [...output.querySelectorAll(".part")].pop();
  if (!last) {
    last = document.createElement("div");
    last.className = "part";
    output.append(last);
  }
  let end = Number(output.dataset.end);
  let torn = null;
  let unseen = 0;
  let busy = false;
  let again = false;
  let ended = false;

  const atEnd = () => window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 80;
  let following = !location.hash;

  // The number of the last line that has its end; 0 where it is not known.
  function count() {
    const whole = [...output.querySelectorAll(".l")].filter((line) => line !== torn).pop();
    return whole && whole.id[0] === "L" ? Number(whole.id.slice(1)) : 0;
  }

  function show() {
    resume.hidden = following || !unseen;
    resume.textContent = output.dataset.paused.replace("{count}", unseen) + " ↓";
  }

  function toEnd() {
    following = true;
    unseen = 0;
    window.scrollTo(0, document.documentElement.scrollHeight);
    show();
  }

  function read() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    const known = count();
    fetched("behind=" + end + "&after=" + known).then((part) => {
      const lines = [...part.children];
      const alive = Boolean(part.dataset.alive);
      const begin = lines.length && lines[0].id[0] === "L" ? Number(lines[0].id.slice(1)) : 0;
      // The file is being written anew, as it is when a script ends: its lines follow then.
      const other = alive && known && begin && begin !== known + 1;
      if (other) lines.length = 0;
      const was = following;
      if (torn && !other) {
        torn.remove();
        torn = null;
      }
      const fragment = document.createDocumentFragment();
      fragment.append(...lines);
      last.append(fragment);
      if (part.dataset.torn && lines.length) torn = lines[lines.length - 1];
      const grown = !other && (alive ? Number(part.dataset.end) > end : lines.length > 0);
      if (!other) end = Number(part.dataset.end);
      if (was) toEnd();
      else unseen += lines.length - (torn ? 1 : 0);
      show();
      if (!alive && !ended && !grown) {
        ended = true;
        byId("following").textContent = output.dataset.ended;
      }
      busy = false;
      if (again || grown) {
        again = false;
        read();
      }
    }, () => { busy = false; });
  }

  window.addEventListener("scroll", () => {
    const now = atEnd();
    if (now === following) return;
    following = now;
    if (now) unseen = 0;
    show();
  }, { passive: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "End") setTimeout(toEnd, 0);
  });
  resume.addEventListener("click", toEnd);
  document.addEventListener("output", (event) => {
    if (output.dataset.follow in event.detail) read();
  });
  document.addEventListener("refreshed", read);
  if (following) toEnd();
  read();
})();
