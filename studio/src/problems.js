// What the validator says, in place and as a list.
import { setDiagnostics } from "@codemirror/lint";
import { by, element } from "./dom.js";

// Lines and columns count from 1, and columns count characters; the editor counts UTF-16 units.
function offset(doc, line, column) {
  if (line > doc.lines) return doc.length;
  const { from, text } = doc.line(line);
  return from + [...text].slice(0, column - 1).join("").length;
}

function range(doc, place) {
  if (place.line === null) return { from: 0, to: 0 };
  const from = offset(doc, place.line, place.column);
  return { from, to: Math.max(from, offset(doc, place.end_line, place.end_column)) };
}

function mend(view, one) {
  view.dispatch({ changes: { ...range(view.state.doc, one.fix), insert: one.fix.text }, userEvent: "input.fix" });
  view.focus();
}

const called = ({ fix }) => (fix.text.trim() ? `Fix: write ${fix.text.trim()}` : "Fix: take it out");

// What more there is to say: what stands beside the place, the likely fix, and why.
function further(one) {
  const beside = one.labels.filter(({ text }) => text).map(({ text, line }) => (line === one.line ? text : `line ${line}: ${text}`));
  const said = [...beside, ...(one.help ? [`help: ${one.help}`] : []), ...(one.note ? [`note: ${one.note}`] : [])];
  return said.map((text) => element("div", text, "help"));
}

function tooltip(one) {
  const made = element("div", undefined, "told");
  made.append(element("strong", one.code), ` ${one.message}`, ...further(one));
  return made;
}

// To be called with what was said of the text that the editor has now.
export function showProblems(view, found) {
  const { doc } = view.state;
  view.dispatch(setDiagnostics(view.state, found.map((one) => ({
    ...range(doc, one),
    severity: one.severity,
    message: `${one.code} ${one.message}${one.help ? `; ${one.help}` : ""}`,
    renderMessage: () => tooltip(one),
    actions: one.fix ? [{ name: called(one), apply: () => mend(view, one) }] : [],
  }))));
  const errors = found.filter(({ severity }) => severity === "error").length;
  const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  by("verdict").textContent = [
    errors ? counted(errors, "error") : "Valid",
    found.length > errors ? counted(found.length - errors, "warning") : "",
  ].filter(Boolean).join(", ") + ".";
  by("verdict").className = errors ? "s-error" : "s-added";
  by("problems").replaceChildren(...found.map((one) => item(view, one)));
}

function item(view, one) {
  const made = element("li");
  const go = element("button", one.line === null ? one.code : `${one.code}, line ${one.line}`, `link s-${one.severity}`);
  go.addEventListener("click", () => {
    view.dispatch({ selection: { anchor: range(view.state.doc, one).from }, scrollIntoView: true });
    view.focus();
  });
  made.append(go, ` ${one.message}`, ...further(one));
  if (one.fix) {
    const fix = element("button", called(one));
    fix.addEventListener("click", () => mend(view, one));
    made.append(fix);
  }
  return made;
}
