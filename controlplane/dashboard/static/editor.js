// The editor of policies: line numbers, Tab, and findings while somebody types. Without it the
// button Check shows the same on the page. What is put in place was drawn, and escaped, by the
// server; no text becomes markup here.
"use strict";

(() => {
  const form = document.querySelector("[data-editor]");
  if (!form) return;
  const text = form.elements.namedItem("document");
  const cases = form.elements.namedItem("cases");
  const gutter = form.querySelector(".gutter");
  const places = { check: document.querySelector("#findings"), preview: document.querySelector("#effects") };

  // Line numbers beside the text.
  let lines = 0;
  const number = () => {
    const count = text.value.split("\n").length;
    if (count !== lines) {
      lines = count;
      gutter.textContent = Array.from({ length: count }, (_, index) => index + 1).join("\n");
    }
    gutter.scrollTop = text.scrollTop;
  };
  gutter.hidden = false;
  text.addEventListener("scroll", () => { gutter.scrollTop = text.scrollTop; });
  number();

  // Tab indents by two, Shift and Tab take that back. Escape leaves the text (dashboard.js), so
  // that nobody is caught in it.
  const write = (from, to, value) => {
    text.setSelectionRange(from, to);
    // The only way that keeps the browser's undo.
    const done = value ? document.execCommand("insertText", false, value) : document.execCommand("delete");
    if (!done) text.setRangeText(value, from, to, "end");
  };
  const indent = (back) => {
    const { selectionStart: from, selectionEnd: to, value } = text;
    const start = value.lastIndexOf("\n", from - 1) + 1;
    if (from === to && !back) return write(from, to, "  ");
    const block = value.slice(start, to);
    const moved = back ? block.replace(/^ {1,2}/gm, "") : block.replace(/^(?=.)/gm, "  ");
    if (moved === block) return;
    write(start, to, moved);
    if (from === to) text.setSelectionRange(Math.max(start, from - (block.length - moved.length)), Math.max(start, from - (block.length - moved.length)));
    else text.setSelectionRange(start, start + moved.length);
  };
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    indent(event.shiftKey);
  });

  // A finding leads to its place.
  places.check.addEventListener("click", (event) => {
    const link = event.target.closest("[data-line]");
    if (!link) return;
    event.preventDefault();
    const line = Number(link.dataset.line);
    const all = text.value.split("\n");
    const start = all.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    const at = Math.min(start + Math.max(0, Number(link.dataset.column) - 1), start + (all[line - 1] || "").length);
    text.focus();
    text.setSelectionRange(at, start + (all[line - 1] || "").length);
    const height = parseFloat(getComputedStyle(text).lineHeight);
    text.scrollTop = Math.max(0, (line - 6) * height);
  });

  // Ask, one question of a kind at a time; the newest text is asked about in the end.
  const busy = {};
  const ask = async (what) => {
    if (busy[what]) {
      busy[what] = "again";
      return;
    }
    busy[what] = "yes";
    const body = new URLSearchParams({ csrf: form.elements.namedItem("csrf").value, document: text.value, cases: cases.value, [what]: "1" });
    try {
      const answer = await fetch("/dashboard/policies/try", { method: "POST", body });
      if (answer.ok) {
        const drawn = new DOMParser().parseFromString(await answer.text(), "text/html");
        places[what].replaceChildren(...drawn.body.childNodes);
      }
    } catch { /* the next key tries again */ }
    const again = busy[what] === "again";
    busy[what] = "";
    if (again) ask(what);
    else if (what === "check" && places.check.querySelector("[data-verdict=good]")) ask("preview");
    else if (what === "check" && places.check.querySelector("[data-verdict=bad]")) {
      places.preview.textContent = "It has to be mended first.";
    }
  };
  let waits = 0;
  const soon = () => {
    number();
    clearTimeout(waits);
    waits = setTimeout(() => ask("check"), 400);
  };
  text.addEventListener("input", soon);
  cases.addEventListener("input", soon);
  if (!places.check.querySelector("[data-verdict]")) ask("check");
})();
