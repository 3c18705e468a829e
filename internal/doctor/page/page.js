"use strict";
// What the page can do without this: everything but marking neighbours, filtering and copying.
(() => {
  for (const graph of document.querySelectorAll(".graph")) start(graph);

  const button = document.getElementById("copy");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const said = document.getElementById("copied");
      const text = document.getElementById("markdown");
      let done = false;
      try {
        await navigator.clipboard.writeText(text.textContent);
        done = true;
      } catch {
        // Files have no clipboard in some browsers: select the text, and copy that.
        document.getElementById("summary").open = true;
        const range = document.createRange();
        range.selectNodeContents(text);
        const selection = getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
        try { done = document.execCommand("copy"); } catch { done = false; }
      }
      said.textContent = done ? "Copied." : "Could not copy: the text is selected below, copy it by hand.";
    });
  }

  function start(graph) {
    const nodes = new Map();
    for (const element of graph.querySelectorAll(".n")) {
      const row = document.getElementById(element.getAttribute("href").slice(1));
      const rect = element.querySelector("rect");
      nodes.set(element.id, {
        element, row, to: element.dataset.to.split(" ").filter(Boolean), from: [],
        x: Number(rect.getAttribute("x")), y: Number(rect.getAttribute("y")),
        text: row.textContent.toLowerCase(),
        name: row.cells[0].textContent,
        kind: element.getAttribute("aria-label").slice(row.cells[0].textContent.length),
        known: row.cells[0].textContent + (element.classList.contains("stub") ? " (stub)" : ""),
      });
    }
    for (const [id, node] of nodes) for (const other of node.to) nodes.get(other)?.from.push(id);
    const edges = [...graph.querySelectorAll(".e")].map(
      (element) => ({ element, a: element.dataset.a, b: element.dataset.b }));
    const svg = graph.querySelector("svg");
    const info = graph.querySelector(".info");
    const unfold = graph.querySelector(".unfold");
    const filter = graph.querySelector(".filter");
    let pinned = "", wanted = "";

    // reach is all that is above or below a library.
    function reach(id, way) {
      const seen = new Set(), todo = [id];
      while (todo.length) {
        for (const next of nodes.get(todo.pop())[way]) {
          if (!seen.has(next)) { seen.add(next); todo.push(next); }
        }
      }
      return seen;
    }

    function show(id) {
      if (!id) return filter && filter.value ? match() : clear();
      const below = reach(id, "to"), above = reach(id, "from");
      svg.classList.add("lit");
      for (const [other, node] of nodes) {
        node.element.classList.toggle("on", other === id || below.has(other) || above.has(other));
        node.element.classList.toggle("sel", other === id);
      }
      for (const edge of edges) {
        const down = (edge.a === id || below.has(edge.a)) && below.has(edge.b);
        const up = above.has(edge.a) && (edge.b === id || above.has(edge.b));
        edge.element.classList.toggle("on", down || up);
        edge.element.classList.toggle("up", up);
      }
      tell(id, below, above);
    }

    function clear() {
      svg.classList.remove("lit");
      for (const node of nodes.values()) node.element.classList.remove("on", "sel");
      for (const edge of edges) edge.element.classList.remove("on", "up");
      info.replaceChildren(line("Point at a library, tap it or go to it with the arrow keys to see what it needs and who needs it. Escape lets go of it."));
    }

    function line(...parts) {
      const p = document.createElement("p");
      p.append(...parts);
      return p;
    }

    function tell(id, below, above) {
      const node = nodes.get(id), cell = (i) => node.row.cells[i].textContent;
      const names = (set) => {
        const list = [...set].map((other) => nodes.get(other).known);
        return list.length > 40 ? list.slice(0, 40).join(", ") + " and " + (list.length - 40) + " more" : list.join(", ");
      };
      const title = document.createElement("strong");
      title.textContent = node.name;
      const link = document.createElement("a");
      link.href = "#" + node.row.id;
      link.textContent = "in the table";
      const out = [line(title, node.kind + " ", link)];
      if (cell(3)) out.push(line(cell(3)));
      out.push(line(cell(4) + (cell(5) ? " (found by " + cell(5) + ")" : "")));
      if (below.size) out.push(line("Leads to " + below.size + ": " + names(below)));
      if (above.size) out.push(line("Reached from " + above.size + ": " + names(above)));
      info.replaceChildren(...out);
    }

    function match() {
      const wish = filter.value.trim().toLowerCase();
      graph.classList.toggle("filtering", wish !== "");
      let count = 0;
      for (const node of nodes.values()) {
        const found = wish === "" || node.text.includes(wish);
        if (found) count++;
        node.row.hidden = !found;
        node.element.classList.toggle("on", wish !== "" && found);
        node.element.classList.remove("sel");
      }
      for (const edge of edges) {
        edge.element.classList.remove("up");
        edge.element.classList.toggle("on", wish !== "" && nodes.get(edge.a).text.includes(wish) && nodes.get(edge.b).text.includes(wish));
      }
      if (wish === "") return clear();
      svg.classList.add("lit");
      info.replaceChildren(line(count === 1 ? "1 library has it." : count + " libraries have it."));
    }

    const visible = (node) => getComputedStyle(node.element).display !== "none";
    function roam(id) {
      for (const [other, node] of nodes) node.element.setAttribute("tabindex", other === id ? "0" : "-1");
    }

    // move finds the nearest library in a direction.
    function move(from, key) {
      const along = key === "ArrowUp" || key === "ArrowDown";
      const sign = key === "ArrowUp" || key === "ArrowLeft" ? -1 : 1;
      let best = null, least = Infinity;
      for (const [id, node] of nodes) {
        const dx = (node.x - from.x) * sign, dy = (node.y - from.y) * sign;
        if (!visible(node) || (along ? node.x !== from.x || dy <= 0 : dx <= 0)) continue;
        const distance = along ? dy : dx * 1000 + Math.abs(dy);
        if (distance < least) { least = distance; best = id; }
      }
      return best;
    }

    for (const [id, node] of nodes) {
      node.element.addEventListener("mouseenter", () => { if (!pinned) show(wanted = id); });
      node.element.addEventListener("mouseleave", () => { if (!pinned && wanted === id) show(wanted = ""); });
      node.element.addEventListener("focus", () => { roam(id); show(pinned = id); });
      node.element.addEventListener("blur", () => { if (pinned === id) show(pinned = wanted = ""); });
      node.element.addEventListener("click", (event) => {
        event.preventDefault();
        node.element.focus({ preventScroll: true });
        show(pinned = id);
      });
      node.element.addEventListener("keydown", (event) => {
        if (event.key === "Escape") return node.element.blur();
        if (!event.key.startsWith("Arrow") || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        const next = move(node, event.key);
        if (next) nodes.get(next).element.focus();
      });
    }
    const entry = [...nodes].find(([, node]) => visible(node));
    if (entry) roam(entry[0]);
    if (unfold) unfold.addEventListener("change", () => {
      const current = [...nodes].find(([, node]) => node.element.getAttribute("tabindex") === "0" && visible(node));
      if (!current && entry) roam(entry[0]);
    });
    if (filter) {
      filter.closest("label").hidden = false;
      filter.addEventListener("input", match);
      filter.addEventListener("keydown", (event) => {
        if (event.key === "Escape") { filter.value = ""; match(); }
      });
    }
    info.hidden = false;
    clear();
  }
})();
