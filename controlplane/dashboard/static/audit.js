// The audit explorer: completes the last word of the filter line, tells of newer decisions, and goes
// on verifying a long chain. Without it the list of whole values, a reload and a button do the same.
(() => {
  "use strict";

  const SHOWN_MAX = 8;
  const LOOK_MILLISECONDS = 5000;

  // Completion: the word at the cursor, from what the page knows.
  const field = document.querySelector("[data-completes]");
  if (field) {
    const known = Array.from(document.getElementById(field.dataset.completes).options, (one) => one.value);
    field.removeAttribute("list");
    const list = document.createElement("ul");
    list.className = "completions";
    list.id = "completions";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "What may stand here");
    list.hidden = true;
    field.after(list);
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id], ["aria-expanded", "false"]]) {
      field.setAttribute(name, value);
    }
    let chosen = -1;

    const wordAt = () => {
      const end = field.selectionStart;
      const before = field.value.slice(0, end);
      const begin = before.search(/(?:[\w-]+:)?"[^"]*$|\S*$/);
      return { begin, end, text: before.slice(begin) };
    };

    const close = () => {
      list.hidden = true;
      chosen = -1;
      field.setAttribute("aria-expanded", "false");
      field.removeAttribute("aria-activedescendant");
    };

    const take = (value) => {
      const word = wordAt();
      const rest = field.value.slice(word.end).replace(/^\s+/, "");
      const gap = value.endsWith(":") ? "" : " ";
      field.value = field.value.slice(0, word.begin) + value + gap + rest;
      const at = word.begin + value.length + gap.length;
      field.setSelectionRange(at, at);
      field.focus();
      offer();
    };

    const choose = (next) => {
      const rows = Array.from(list.children);
      chosen = (next + rows.length) % rows.length;
      rows.forEach((row, index) => row.setAttribute("aria-selected", String(index === chosen)));
      field.setAttribute("aria-activedescendant", rows[chosen].id);
    };

    const offer = () => {
      const text = wordAt().text.toLowerCase();
      const inValue = text.includes(":");
      const found = known.filter((one) => {
        const low = one.toLowerCase();
        if (low === text) return false;
        return inValue ? low.startsWith(text) || (low.startsWith(text.split(":")[0] + ":") && low.split(":").slice(1).join(":").includes(text.split(":").slice(1).join(":"))) : low.endsWith(":") && low.startsWith(text);
      }).slice(0, SHOWN_MAX);
      list.replaceChildren(...found.map((one, index) => {
        const row = document.createElement("li");
        row.id = `completion-${index}`;
        row.setAttribute("role", "option");
        row.setAttribute("aria-selected", "false");
        row.textContent = one;
        row.addEventListener("mousedown", (event) => { event.preventDefault(); take(one); });
        return row;
      }));
      chosen = -1;
      field.removeAttribute("aria-activedescendant");
      list.hidden = !found.length;
      field.setAttribute("aria-expanded", String(!list.hidden));
    };

    field.addEventListener("input", offer);
    field.addEventListener("focus", offer);
    field.addEventListener("blur", close);
    field.addEventListener("keydown", (event) => {
      if (list.hidden) return;
      if (event.key === "ArrowDown") choose(chosen + 1);
      else if (event.key === "ArrowUp") choose(chosen < 0 ? list.children.length - 1 : chosen - 1);
      else if (event.key === "Escape") close();
      else if (event.key === "Enter" && chosen >= 0) take(list.children[chosen].textContent);
      else if (event.key === "Tab" && !event.shiftKey && chosen >= 0) take(list.children[chosen].textContent);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  // Opens the row that the reader is at.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "o" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) return;
    const row = document.querySelector(".log > .here > details");
    if (row) row.open = !row.open;
  });

  // Newer decisions: said, never put in by itself.
  const fresh = document.querySelector("[data-new]");
  if (fresh) {
    const look = async () => {
      if (document.hidden) return;
      try {
        const answer = await fetch(fresh.dataset.new, { headers: { Accept: "application/json" } });
        if (!answer.ok) return;
        const { count } = await answer.json();
        fresh.hidden = !count;
        fresh.textContent = count ? `${count >= 100 ? "100 or more" : count} new. Show` : "";
      } catch {
        // The next look may be luckier.
      }
    };
    setInterval(look, LOOK_MILLISECONDS);
  }

  // A long chain is verified piece by piece, while the page is looked at.
  const onward = document.querySelector("[data-goes-on]");
  if (onward) setTimeout(() => { if (!document.hidden) window.location.assign(onward.href); }, 400);
})();
