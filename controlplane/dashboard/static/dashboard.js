// Comfort on top of pages that work without it: keys, times in the reader's zone. Nothing here
// writes markup: only text, and attributes of elements that the server drew.
"use strict";

(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Times: relative, refreshed; exact on hover, in the reader's own zone.
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  const units = [[86400, "d"], [3600, "h"], [60, "min"]];
  const words = (seconds) => {
    const size = Math.abs(seconds);
    if (size < 10) return "just now";
    const [unit, name] = units.find(([length]) => size >= length) || [1, "s"];
    const text = `${Math.floor(size / unit)} ${name}`;
    return seconds > 0 ? `${text} ago` : `in ${text}`;
  };
  const skew = Date.now() - Date.parse(document.documentElement.dataset.now || new Date().toISOString());
  const refresh = () => {
    const now = Date.now() - skew;
    for (const time of all("time[datetime]")) {
      const at = Date.parse(time.dateTime);
      if (Number.isNaN(at)) continue;
      time.title = exact.format(at);
      time.textContent = words((now - at) / 1000);
    }
    for (const bar of all("progress[data-ends]")) {
      const left = Math.max(0, (Date.parse(bar.dataset.ends) - now) / 1000);
      bar.value = left;
      const text = bar.dataset.tell && one(bar.dataset.tell);
      if (text) text.textContent = left > 0 ? `${words(-left).replace("in ", "")} left` : "time is over";
    }
  };
  refresh();
  setInterval(refresh, 5000);

  // On a phone the rail is a strip: the place where one is must not lie beside it.
  const place = one(".rail a[aria-current]");
  if (place) place.scrollIntoView({ block: "nearest", inline: "center" });

  // Keys. None while somebody types, and none with a modifier, which is the browser's.
  const shortcuts = one("#shortcuts");
  const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;
  const items = () => all("[data-item]");
  let awaitsPlace = 0;

  const move = (by) => {
    const list = items();
    if (!list.length) return;
    const at = list.findIndex((item) => item.classList.contains("here"));
    const next = list[Math.min(list.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by))];
    list.forEach((item) => item.classList.toggle("here", item === next));
    const link = next.matches("a[href]") ? next : one("a[href]", next);
    (link || next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };

  // Browsers give what is folded a place, too.
  const isShown = (place) => {
    for (let box = place.closest("details"); box; box = box.parentElement.closest("details")) {
      if (!box.open && !one(":scope > summary", box).contains(place)) return false;
    }
    return place.getClientRects().length > 0;
  };

  const press = (key) => {
    // Only what the reader sees: a key must not act from inside something that is folded.
    const found = all(`[data-key="${CSS.escape(key)}"]`).find(isShown);
    if (!found) return false;
    if (found.tagName === "SUMMARY") {
      const box = found.parentElement;
      box.open = !box.open;
      if (box.open) (one("input:not([type=hidden]), textarea, select, button", box) || found).focus();
    } else {
      found.focus();
      if (!found.matches("input, select, textarea")) found.click();
    }
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "Escape") {
      if (isTyping(event.target)) event.target.blur();
      all("details[open][data-closes]").forEach((box) => { box.open = false; });
      return;
    }
    if (isTyping(event.target) || (shortcuts && shortcuts.open)) return;
    const goes = Date.now() - awaitsPlace < 1200;
    awaitsPlace = 0;
    let done = true;
    if (goes && one(`[data-go="${CSS.escape(event.key)}"]`)) one(`[data-go="${CSS.escape(event.key)}"]`).click();
    else if (event.key === "/") one("[data-hotkey='/']").focus();
    else if (event.key === "?" && shortcuts) shortcuts.showModal();
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (press(event.key)) awaitsPlace = 0;
    else if (event.key === "g") awaitsPlace = Date.now();
    else done = false;
    if (done) event.preventDefault();
  });

  const button = one("[data-shortcuts]");
  if (button && shortcuts) {
    button.hidden = false;
    button.addEventListener("click", () => shortcuts.showModal());
  }

  // A preset fills the reason; the person still sends it.
  for (const preset of all("[data-fills]")) {
    preset.addEventListener("click", () => {
      const field = one(preset.dataset.fills);
      field.value = preset.value;
      field.focus();
    });
  }

  // Nothing is sent twice by an impatient double click.
  for (const form of all("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    });
  }
  window.addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => delete form.dataset.sent));
})();
