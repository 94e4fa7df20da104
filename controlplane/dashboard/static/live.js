// Live updates on top of pages that are true when they are drawn. A message says that something
// changed; the page says so, and never moves under the reader's hand.
"use strict";

(() => {
  if (!("EventSource" in window)) return;
  const fresh = new Map();
  let last = document.documentElement.dataset.cursor || "";
  let stream = null;

  // The rail's numbers, read anew once for a burst of events.
  let asked = 0;
  const recount = () => {
    clearTimeout(asked);
    asked = setTimeout(async () => {
      try {
        const answer = await fetch("/dashboard/counts", { headers: { Accept: "application/json" } });
        if (!answer.ok) return;
        const counts = await answer.json();
        for (const place of document.querySelectorAll("[data-count]")) {
          const count = counts[place.dataset.count] || 0;
          place.textContent = String(count);
          place.hidden = count === 0;
        }
      } catch { /* the next event tries again */ }
    }, 250);
  };

  const take = (message) => {
    last = message.lastEventId || last;
    const event = JSON.parse(message.data);
    recount();
    for (const place of document.querySelectorAll("[data-fresh]")) {
      if (place.dataset.fresh !== event.kind) continue;
      if (place.dataset.change && place.dataset.change !== event.change) continue;
      if (place.dataset.subject && place.dataset.subject !== event.id) continue;
      const seen = fresh.get(place) || fresh.set(place, new Set()).get(place);
      seen.add(event.id);
      place.hidden = false;
      place.textContent = place.dataset.says || `${seen.size} new. Show`;
    }
    for (const state of document.querySelectorAll(`[data-state="${CSS.escape(`${event.kind}:${event.id}`)}"]`)) {
      const badge = state.querySelector(".badge") || state;
      const words = event.change.toLowerCase().replaceAll("_", " ");
      badge.textContent = words.charAt(0).toUpperCase() + words.slice(1);
      if (badge !== state) badge.className = `badge badge-${event.change}`;
    }
    document.dispatchEvent(new CustomEvent("checkrein:event", { detail: event }));
  };

  // A browser tries again by itself after a cut, but not after an answer that is no stream: the
  // control plane is starting, or has too many of them. Later each time, up to a minute.
  let patience = 2000;
  const lose = () => {
    if (!stream || stream.readyState !== EventSource.CLOSED) return;
    stream = null;
    setTimeout(follow, patience);
    patience = Math.min(60000, patience * 2);
  };

  // A browser opens six connections to one site: a page that nobody looks at gives its own back, and
  // hears what it missed when it is looked at again.
  const follow = () => {
    if (document.hidden) {
      if (stream) stream.close();
      stream = null;
    } else if (!stream) {
      stream = new EventSource(`/dashboard/events?after=${encodeURIComponent(last)}`);
      stream.onopen = () => { patience = 2000; };
      stream.onmessage = take;
      stream.onerror = lose;
    }
  };
  document.addEventListener("visibilitychange", follow);
  window.addEventListener("pagehide", () => { if (stream) stream.close(); stream = null; });
  window.addEventListener("pageshow", follow);
  follow();
})();
