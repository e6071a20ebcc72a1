"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const by = (id) => document.getElementById(id);
  const which = by("which"), way = by("way"), detail = by("detail");
  const count = new Intl.NumberFormat("en-US");
  const short = new Intl.NumberFormat("en-US", { notation: "compact" });
  const STATES = {
    r: ["r", "read from the cache"],
    1: ["h", "written to the cache for an hour"],
    5: ["m", "written to the cache for five minutes"],
    u: ["u", "not cached"],
  };
  const PARTS = [["r", "read"], ["h", "written 1h"], ["m", "written 5m"], ["u", "uncached"]];

  const element = (name, text, kind) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  // Of a grid, one cell at a time can be reached with Tab, and the others with the arrow keys.
  function walked(grid, tell) {
    let cells = [], places = new Map();
    const met = (event) => event.target.closest('[role="gridcell"]');
    grid.addEventListener("pointerover", (event) => places.has(met(event)) && tell(met(event)));
    grid.addEventListener("focusin", (event) => {
      if (!places.has(event.target)) return;
      grid.querySelectorAll('[tabindex="0"]').forEach((cell) => (cell.tabIndex = -1));
      event.target.tabIndex = 0;
      tell(event.target);
    });
    grid.addEventListener("keydown", (event) => {
      if (!places.has(event.target) || event.ctrlKey || event.altKey || event.metaKey) return;
      let [row, place] = places.get(event.target);
      const vertical = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (vertical) {
        do row += vertical; while (cells[row] && !cells[row].length);
      } else if (event.key === "ArrowLeft") place -= 1;
      else if (event.key === "ArrowRight") place += 1;
      else if (event.key === "Home") place = 0;
      else if (event.key === "End") place = cells[row].length - 1;
      else return;
      event.preventDefault();
      const found = cells[row];
      if (found) (found[Math.min(place, found.length - 1)] || event.target).focus();
    });
    return (rows) => {
      cells = rows;
      places = new Map(rows.flatMap((row, number) => row.map((cell, place) => [cell, [number, place]])));
      const [first] = places.keys();
      if (first) first.tabIndex = 0;
    };
  }

  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

  // The least of 1, 2, 5, 10, 20 and so on that is not below this.
  function round(least) {
    const ten = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
    return ten * [1, 2, 5, 10].find((times) => times * ten >= least);
  }

  const walkRequests = walked(by("tokens"), (cell) => by("request").textContent = cell.getAttribute("aria-label"));

  function chart(turns) {
    const most = Math.max(1, ...turns.map((taken) => (taken ? sum(taken.tokens) : 0)));
    const step = round(most / 8), every = round(turns.length / 8);
    by("ticks").replaceChildren(...Array.from({ length: Math.floor(most / step) + 1 }, (_, number) => {
      const tick = element("div", undefined, "tick");
      tick.style.bottom = `${(100 * number * step) / most}%`;
      tick.append(element("span", short.format(number * step)));
      return tick;
    }));
    const row = element("div", undefined, "columns");
    row.setAttribute("role", "row");
    const columns = turns.map((taken, number) => {
      const column = element("div", undefined, "column");
      const parts = PARTS.map(([style, name], part) => [style, name, taken ? taken.tokens[part] : 0]).filter(([, , size]) => size);
      const said = parts.map(([, name, size]) => `${count.format(size)} tokens ${name}`).join(", ");
      column.setAttribute("role", "gridcell");
      column.setAttribute("aria-label", `request ${number + 1}: ${said || "nothing recorded"}`);
      column.title = column.getAttribute("aria-label");
      column.tabIndex = -1;
      column.append(...parts.map(([style, , size]) => {
        const block = element("div", undefined, `block ${style}`);
        block.style.height = `${(100 * size) / most}%`;
        return block;
      }));
      if ((number + 1) % every === 0) column.append(element("span", number + 1));
      return column;
    });
    row.append(...columns);
    by("tokens").replaceChildren(row);
    walkRequests([columns]);
    by("request").textContent = "Point at a request, or walk there with Tab and the arrow keys, for its figures.";
  }

  function after(seconds) {
    const whole = Math.round(seconds), two = (number) => String(number).padStart(2, "0");
    return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  }

  function table(session) {
    by("turns").tBodies[0].replaceChildren(...session.turns.map((turn, number) => {
      const row = element("tr"), head = element("th", number + 1);
      head.scope = "row";
      const taken = turn.ways[way.selectedIndex];
      const cells = PARTS.map((_, part) => element("td", taken ? count.format(taken.tokens[part]) : ""));
      row.append(head, element("td", after(turn.at)), ...cells, element("td", turn.where, "where"));
      return row;
    }));
  }

  const unrolled = (runs) => runs.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, n) => first + n));

  const told = new WeakMap();

  function row(session, turn, number, most) {
    const made = element("div", undefined, "row");
    made.setAttribute("role", "row");
    const head = element("span", number + 1, "number");
    head.setAttribute("role", "rowheader");
    head.setAttribute("aria-label", `request ${number + 1}`);
    made.append(head);
    const taken = turn.ways[way.selectedIndex];
    if (!taken) {
      const none = element("span", "nothing recorded");
      none.setAttribute("role", "gridcell");
      made.append(none);
      return [made, []];
    }
    const bar = element("div", undefined, "bar"), prompt = element("div", undefined, "prompt");
    const breakpoints = new Map(taken.breakpoints), blocks = unrolled(taken.blocks);
    bar.setAttribute("role", "presentation");
    prompt.setAttribute("role", "presentation");
    const cells = blocks.map((index, place) => {
      const [location, kind, tokens, text] = session.blocks[index];
      const [style, happened] = STATES[taken.states[place]];
      const said = [kind, `${count.format(tokens)} tokens`, happened];
      const cell = element("span", undefined, `block ${style}`);
      if (breakpoints.has(place)) {
        cell.classList.add("mark");
        said.push(`a breakpoint for ${breakpoints.get(place) === "1h" ? "an hour" : "five minutes"} ends here`);
      }
      if (taken.changed === place) {
        cell.classList.add("changed");
        said.push("not as the request before had it: nothing from here on could be read");
      }
      cell.style.flex = `${Math.max(tokens, 1)} 1 0`;
      cell.tabIndex = -1;
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-label", `${location}, ${said.join(", ")}`);
      told.set(cell, { location, said: `request ${number + 1}, ${turn.where}: ${said.join(", ")}`, text });
      return cell;
    });
    bar.append(...cells);
    const total = sum(blocks.map((index) => session.blocks[index][2]));
    bar.style.width = `max(${(100 * total) / most}%, ${blocks.length * 4}px)`;
    prompt.append(bar);
    made.append(prompt);
    return [made, cells];
  }

  const walkBlocks = walked(by("blocks"), (cell) => {
    const known = told.get(cell);
    detail.replaceChildren(element("strong", known.location), element("div", known.said));
    if (known.text !== null) detail.append(element("pre", known.text));
  });

  function blocks(session) {
    const sizes = session.turns.map((turn) => {
      const taken = turn.ways[way.selectedIndex];
      return taken ? sum(unrolled(taken.blocks).map((index) => session.blocks[index][2])) : 0;
    });
    const most = Math.max(1, ...sizes);
    const rows = session.turns.map((turn, number) => row(session, turn, number, most));
    by("blocks").replaceChildren(...rows.map(([made]) => made));
    walkBlocks(rows.map(([, cells]) => cells));
    detail.replaceChildren(element("span", "No block is chosen."));
  }

  function show() {
    const session = data.sessions[which.selectedIndex];
    if (!session) return;
    const shown = session.turns.length;
    by("about").textContent =
      `${count.format(session.requests)} request${session.requests === 1 ? "" : "s"} to ${session.model}, ` +
      `${session.cost} without caching` + (shown < session.requests ? `; the first ${count.format(shown)} are shown` : "");
    chart(session.turns.map((turn) => turn.ways[way.selectedIndex]));
    table(session);
    blocks(session);
  }

  data.sessions.forEach((session, number) => which.append(new Option(`${number + 1}. ${session.name} (${session.cost})`)));
  data.ways.forEach((name) => way.append(new Option(name)));
  which.addEventListener("change", show);
  way.addEventListener("change", show);
  show();
})();
