// The dashboard's only script. It fills in the ticket from the link, and replaces the parts of a page that changed.
// Every page is complete and every form works without it.
"use strict";

(() => {
  // The page where one signs in: the ticket leaves the address, so that it does not stay in the history.
  const ticket = document.querySelector("input[name=ticket]");
  const take = () => {
    if (!ticket || location.hash.length < 2) return;
    ticket.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname + location.search);
    document.querySelector("main button").focus();
  };
  take();
  addEventListener("hashchange", take);

  const connection = document.getElementById("connection");
  if (!connection || !window.EventSource) return;
  const waiting = new Map();
  let source = null, isLost = false, isOver = false, again = 0;

  const say = (text) => { if (connection.textContent !== text) connection.textContent = text; };

  // How the focused element is found again after its part was replaced: by its id, or as the same link or the same place.
  const mark = (part) => {
    const focused = document.activeElement;
    if (!focused || focused === part || !part.contains(focused)) return () => {};
    const kind = focused.tagName.toLowerCase();
    const place = [...part.querySelectorAll(kind)].indexOf(focused);
    const { id } = focused, href = focused.getAttribute("href");
    return () => {
      const all = [...part.querySelectorAll(kind)];
      const same = (id && document.getElementById(id)) ||
        (href && all.find((element) => element.getAttribute("href") === href)) || all[place];
      if (same) same.focus({ preventScroll: true });
    };
  };

  const replace = (id, html) => {
    const part = document.getElementById(id);
    if (!part || !part.hasAttribute("data-live") || part.innerHTML.trim() === html.trim()) return;
    // A person is marking text here to copy it: later.
    const marked = document.getSelection();
    if (marked && !marked.isCollapsed && part.contains(marked.anchorNode)) return void waiting.set(id, html);
    waiting.delete(id);
    const focusAgain = mark(part), [x, y] = [scrollX, scrollY];
    const open = [...part.querySelectorAll("details")].map((details) => details.open);
    const made = document.createElement("template");
    made.innerHTML = html;
    [...made.content.querySelectorAll("details")].forEach((details, place) => { details.open = open[place] ?? details.open; });
    part.replaceChildren(made.content);
    focusAgain();
    scrollTo(x, y);
  };

  document.addEventListener("selectionchange", () => {
    if (document.getSelection().isCollapsed) for (const [id, html] of [...waiting]) replace(id, html);
  });

  const listen = () => {
    clearTimeout(again);
    if (source || isOver || document.hidden) return;
    source = new EventSource(location.pathname + location.search);
    source.addEventListener("part", (event) => {
      const { id, html } = JSON.parse(event.data);
      replace(id, html);
      if (isLost) { isLost = false; say(connection.dataset.back); }
    });
    const end = (text) => () => { isOver = true; rest(); say(text); };
    source.addEventListener("over", end(connection.dataset.ended));
    source.addEventListener("still", end(connection.dataset.still));
    source.addEventListener("error", () => {
      if (isOver) return;
      isLost = true;
      say(connection.dataset.lost);
      // A browser gives up on an answer that is no stream; we do not.
      rest();
      again = setTimeout(listen, 3000);
    });
  };
  const rest = () => { if (source) source.close(); source = null; };

  // A page that nobody sees keeps no connection.
  document.addEventListener("visibilitychange", () => { if (document.hidden) rest(); else listen(); });
  addEventListener("pagehide", rest);
  listen();
})();
