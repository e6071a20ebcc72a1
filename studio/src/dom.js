export const by = (id) => document.getElementById(id);

// Everything that is shown passes here as text, never as HTML.
export function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

export const styled = (spans) =>
  spans.map(([text, style]) => (style ? element("span", text, `s-${style}`) : document.createTextNode(text)));
