"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const by = (id) => document.getElementById(id);
  const which = by("which"), way = by("way"), grid = by("blocks"), detail = by("detail");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 30rem)");
  const count = new Intl.NumberFormat("en-US");
  const STATES = {
    r: ["r", "read from the cache"],
    1: ["h", "written to the cache for an hour"],
    5: ["m", "written to the cache for five minutes"],
    u: ["u", "not cached"],
  };

  const element = (name, text, kind) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  // Charts take their colours from the style sheet, which knows light from dark.
  function draw(id, figure) {
    if (!figure.data.length) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const traces = figure.data.map((trace) => ({
      ...trace,
      marker: {
        color: colour(trace.meta),
        pattern: { ...trace.marker.pattern, fillmode: "overlay", fgcolor: colour("paper"), size: 7, solidity: 0.25 },
        line: { width: 0 },
      },
    }));
    const size = narrow.matches ? 12 : 14;
    const titled = (axis) => ({ ...axis, title: { ...axis.title, font: { size } } });
    const axis = { gridcolor: colour("line"), zerolinecolor: colour("edge"), fixedrange: true };
    const layout = {
      ...figure.layout,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size, color: colour("ink") },
      hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("edge"), font: { color: colour("ink") }, namelength: -1 },
      annotations: (figure.layout.annotations || []).map((note) => ({ ...note, font: { size } })),
      xaxis: titled({ ...axis, ...figure.layout.xaxis }),
      yaxis: titled({ ...axis, ...figure.layout.yaxis }),
    };
    return Plotly.react(by(id), traces, layout, { displayModeBar: false, responsive: true });
  }

  function after(seconds) {
    const whole = Math.round(seconds), two = (number) => String(number).padStart(2, "0");
    return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  }

  function table(session, figure) {
    by("turns").tBodies[0].replaceChildren(...session.turns.map((turn, number) => {
      const row = element("tr"), head = element("th", number + 1);
      head.scope = "row";
      const cells = figure.data.map(({ y }) => element("td", y[number] === null ? "" : count.format(y[number])));
      row.append(head, element("td", after(turn.at)), ...cells, element("td", turn.where, "where"));
      return row;
    }));
  }

  const unrolled = (runs) => runs.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, n) => first + n));

  // Rows of cells; one cell at a time can be reached with Tab, the others with the arrow keys.
  let cells = [], told = new WeakMap();

  function row(session, turn, number, most) {
    const made = element("div", undefined, "row");
    made.setAttribute("role", "row");
    const head = element("span", number + 1, "number");
    head.setAttribute("role", "rowheader");
    head.setAttribute("aria-label", `request ${number + 1}`);
    made.append(head);
    cells.push([]);
    const taken = turn.ways[way.selectedIndex];
    if (!taken) {
      const none = element("span", "nothing recorded");
      none.setAttribute("role", "gridcell");
      made.append(none);
      return made;
    }
    const bar = element("div", undefined, "bar"), prompt = element("div", undefined, "prompt");
    const breakpoints = new Map(taken.breakpoints), blocks = unrolled(taken.blocks);
    bar.setAttribute("role", "presentation");
    prompt.setAttribute("role", "presentation");
    blocks.forEach((index, place) => {
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
      told.set(cell, { location, said: `request ${number + 1}, ${turn.where}: ${said.join(", ")}`, text, at: [number, place] });
      cells[number].push(cell);
      bar.append(cell);
    });
    const total = blocks.reduce((sum, index) => sum + session.blocks[index][2], 0);
    bar.style.width = `max(${(100 * total) / most}%, ${blocks.length * 4}px)`;
    prompt.append(bar);
    made.append(prompt);
    return made;
  }

  function blocks(session) {
    cells = [];
    const sizes = session.turns.map((turn) => {
      const taken = turn.ways[way.selectedIndex];
      return taken ? unrolled(taken.blocks).reduce((sum, index) => sum + session.blocks[index][2], 0) : 0;
    });
    const most = Math.max(1, ...sizes);
    grid.replaceChildren(...session.turns.map((turn, number) => row(session, turn, number, most)));
    const first = cells.find((found) => found.length);
    if (first) first[0].tabIndex = 0;
    detail.replaceChildren(element("span", "No block is chosen."));
  }

  function tell(cell) {
    const known = cell && told.get(cell);
    if (!known) return;
    detail.replaceChildren(element("strong", known.location), element("div", known.said));
    if (known.text !== null) detail.append(element("pre", known.text));
  }

  grid.addEventListener("pointerover", (event) => tell(event.target));
  grid.addEventListener("focusin", (event) => {
    grid.querySelectorAll('[tabindex="0"]').forEach((cell) => (cell.tabIndex = -1));
    event.target.tabIndex = 0;
    tell(event.target);
  });
  grid.addEventListener("keydown", (event) => {
    const known = told.get(event.target);
    if (!known || event.ctrlKey || event.altKey || event.metaKey) return;
    let [number, place] = known.at;
    const vertical = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (vertical) {
      do number += vertical; while (cells[number] && !cells[number].length);
    } else if (event.key === "ArrowLeft") place -= 1;
    else if (event.key === "ArrowRight") place += 1;
    else if (event.key === "Home") place = 0;
    else if (event.key === "End") place = cells[number].length - 1;
    else return;
    event.preventDefault();
    const found = cells[number];
    if (found) (found[Math.min(place, found.length - 1)] || event.target).focus();
  });

  function show() {
    const session = data.sessions[which.selectedIndex];
    if (!session) return;
    const figure = session.tokens[way.selectedIndex];
    const shown = session.turns.length;
    by("about").textContent =
      `${count.format(session.requests)} request${session.requests === 1 ? "" : "s"} to ${session.model}, ` +
      `${session.cost} without caching` + (shown < session.requests ? `; the first ${count.format(shown)} are shown` : "");
    draw("tokens", figure);
    table(session, figure);
    blocks(session);
  }

  data.sessions.forEach((session, number) => which.append(new Option(`${number + 1}. ${session.name} (${session.cost})`)));
  data.ways.forEach((name) => way.append(new Option(name)));
  which.addEventListener("change", show);
  way.addEventListener("change", show);
  const colours = () => {
    draw("costs", data.costs);
    const session = data.sessions[which.selectedIndex];
    if (session) draw("tokens", session.tokens[way.selectedIndex]);
  };
  dark.addEventListener("change", colours);
  narrow.addEventListener("change", colours);
  draw("costs", data.costs);
  show();
})();
