// The two editors. Colours are classes, so that the style sheet alone knows light from dark.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap } from "@codemirror/lint";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const nonce = document.querySelector('meta[name="nonce"]').content;
const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], class: "t-name" },
  { tag: [tags.string, tags.content, tags.special(tags.string)], class: "t-text" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.meta], class: "t-value" },
  { tag: tags.comment, class: "t-comment" },
]);

function editor(parent, label, doc, extensions, changed) {
  return new EditorView({
    parent,
    doc,
    extensions: [
      EditorView.cspNonce.of(nonce),
      lineNumbers(),
      history(),
      drawSelection(),
      bracketMatching(),
      highlightActiveLine(),
      syntaxHighlighting(colours),
      EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
      EditorView.updateListener.of((update) => update.docChanged && changed()),
      extensions,
      keymap.of([...completionKeymap, ...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...lintKeymap, indentWithTab]),
    ],
  });
}

export const policyEditor = (parent, text, complete, save, changed) =>
  editor(parent, "Policy, YAML", text, [
    yaml(),
    indentUnit.of("  "),
    indentOnInput(),
    closeBrackets(),
    autocompletion({ override: [complete], icons: false }),
    lintGutter(),
    keymap.of([{ key: "Mod-s", run: save, preventDefault: true }]),
  ], changed);

export const requestEditor = (parent, changed) => editor(parent, "Request, JSON", "", [json()], changed);

export const textOf = (view) => view.state.doc.toString();

// Undo brings back what stood there.
export function open(view, text) {
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: 0 }, scrollIntoView: true });
}
