// Where in a YAML document a place is: the keys and list items around it, and the word that is being written.
const KEY = /^(["']?)([\w$.-]+)\1\s*:(?:\s+|$)/;
export const ITEM = Symbol("item");

// A line's indentation, the columns of its dashes, and what follows them.
function parts(text) {
  const dashes = [];
  let at = text.match(/^ */)[0].length;
  for (let dash; (dash = text.slice(at).match(/^- +|^-$/)); at += dash[0].length) dashes.push(at);
  return { dashes, column: at, rest: text.slice(at) };
}

export function placeAt(doc, position) {
  const line = doc.lineAt(position);
  const here = parts(line.text.slice(0, position - line.from));
  if (here.rest.startsWith("#")) return null;
  const path = around(doc, line.number - 1, here);
  const key = here.rest.match(KEY);
  if (key) path.push(key[2]);
  const inner = flow(key ? here.rest.slice(key[0].length) : here.rest, path);
  return inner && { ...inner, keys: inner.keys ?? !key, values: inner.values ?? (Boolean(key) || path.at(-1) === ITEM), from: position - inner.word.length };
}

// The path of what begins at a column, told from the lines above.
function around(doc, number, here) {
  const path = here.dashes.map(() => ITEM);
  let column = here.dashes[0] ?? here.column, item = path.length > 0;
  for (; number > 0 && (column > 0 || item); number -= 1) {
    const { text } = doc.line(number);
    if (!text.trim() || text.trim().startsWith("#")) continue;
    const above = parts(text);
    const key = above.rest.match(KEY);
    if (key && (above.column < column || (item && above.column === column))) {
      path.unshift(key[2]);
      column = above.column;
      item = false;
    }
    for (const dash of above.dashes.reverse()) {
      if (dash >= column) continue;
      path.unshift(ITEM);
      column = dash;
      item = true;
    }
  }
  return path;
}

// Inside brackets on one line: each frame is a list, or a mapping with the key that is open in it.
function flow(text, path) {
  const frames = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const frame = frames.at(-1), letter = text[at];
    if (letter === '"' || (letter === "'" && !text.slice(start, at).trim())) {
      const end = text.indexOf(letter, at + 1);
      if (end < 0) return null;
      at = end;
    } else if ((letter === "{" || letter === "[") && !text.slice(start, at).trim()) {
      frames.push({ list: letter === "[", key: null });
      start = at + 1;
    } else if (frame && (letter === "}" || letter === "]")) {
      frames.pop();
      start = at + 1;
    } else if (frame && letter === ",") {
      frame.key = null;
      start = at + 1;
    } else if (frame && !frame.list && letter === ":" && text[at + 1] === " ") {
      frame.key = text.slice(start, at).trim();
      start = at + 1;
    } else if (letter === "#" && (at === 0 || text[at - 1] === " ")) return null;
  }
  const inner = frames.flatMap(({ list, key }) => (list ? [ITEM] : key === null ? [] : [key]));
  const word = text.slice(start).trimStart(), last = frames.at(-1);
  const told = last ? { keys: !last.list && last.key === null, values: last.list || last.key !== null, flow: true } : {};
  return { path: [...path, ...inner], word, ...told };
}
