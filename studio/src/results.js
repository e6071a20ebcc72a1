// What the policy does to the request.
import { by, element, styled } from "./dom.js";

const count = new Intl.NumberFormat("en-US");
const tokens = (number) => `${count.format(number)} token${number === 1 ? "" : "s"}`;

function block(kind, size) {
  const made = element("span", undefined, `block ${kind}`);
  made.style.flex = `${Math.max(size, 1)} 1 0`;
  return made;
}

function prefix({ tokens: total, limit, pieces }) {
  const breakpoints = pieces.filter(({ kind }) => kind === "breakpoint");
  const used = limit ? `${breakpoints.length} of ${limit} breakpoints` : `${breakpoints.length} breakpoints`;
  by("prefix-said").textContent = `About ${tokens(total)}, ${used}.`;
  const cells = [];
  pieces.forEach((piece, index) => {
    if (piece.kind === "breakpoint") return cells.at(-1)?.classList.add("mark");
    const next = pieces.slice(index).find(({ kind }) => kind === "breakpoint");
    cells.push(block(next ? (next.ttl === "1h" ? "h" : "m") : "u", piece.tokens));
  });
  by("bar").replaceChildren(...cells);
  by("pieces").replaceChildren(...pieces.map((piece) => {
    if (piece.kind === "part") return element("li", `${piece.name}, about ${tokens(piece.tokens)}`);
    const made = element("li", undefined, "breakpoint");
    made.append(
      element("strong", `breakpoint ${piece.slot}, ${piece.ttl}`),
      ` at ${piece.at}, by ${piece.by}${piece.line ? ` (${piece.line})` : ""}: the prefix up to here is about ${tokens(piece.tokens)}`,
    );
    return made;
  }));
}

function row(cells) {
  const made = element("tr");
  made.append(...cells.map((cell, index) => {
    if (cell instanceof Node) return cell;
    const one = element(index ? "td" : "th", cell);
    if (!index) one.scope = "row";
    return one;
  }));
  return made;
}

function saving({ head, rows, notes, turns }) {
  by("notes").replaceChildren(...notes.map((note) => element("li", note)));
  const heads = head.map((cell) => {
    const made = element(cell ? "th" : "td", cell);
    if (cell) made.scope = "col";
    return made;
  });
  by("totals").tHead.replaceChildren(element("tr"));
  by("totals").tHead.rows[0].append(...heads);
  by("totals").tBodies[0].replaceChildren(...rows.map(row));
  const most = Math.max(1, ...turns.map(size));
  by("turns").tBodies[0].replaceChildren(...turns.map((turn, index) => row([
    index + 1, drawn(turn, most),
    ...["messages", "read", "written_1h", "written_5m", "uncached"].map((name) => count.format(turn[name])),
    turn.cost, turn.without,
  ])));
}

const KINDS = { read: "r", written_1h: "h", written_5m: "m", uncached: "u" };
const size = (turn) => Object.keys(KINDS).reduce((sum, name) => sum + turn[name], 0);

function drawn(turn, most) {
  const cell = element("td", undefined, "drawn"), bar = element("div", undefined, "bar");
  bar.style.width = `${(100 * size(turn)) / most}%`;
  bar.append(...Object.entries(KINDS).filter(([name]) => turn[name]).map(([name, kind]) => block(kind, turn[name])));
  cell.append(bar);
  return cell;
}

export function showResults(shown) {
  by("diff").replaceChildren(...styled(shown.diff));
  by("why").replaceChildren(...styled(shown.explanation));
  prefix(shown.prefix);
  saving(shown.saving);
  by("results").hidden = false;
}
