import { completer } from "./complete.js";
import { by, element } from "./dom.js";
import { open, policyEditor, requestEditor, textOf } from "./editors.js";
import { showProblems } from "./problems.js";
import { showResults } from "./results.js";
import { ask } from "./server.js";

const PATIENCE = 200; // milliseconds without a key before what was typed is evaluated

const start = await ask("start").catch((error) => {
  by("stale").textContent = error.message;
  throw error;
});
const policy = policyEditor(by("policy"), start.policy, completer(start.schema), save, changed);
const request = requestEditor(by("request"), edited);

// One question at a time; what is typed meanwhile is asked about next.
let timer = null, asking = false, again = false;

function changed() {
  clearTimeout(timer);
  timer = setTimeout(evaluate, PATIENCE);
}

function edited() {
  by("requests").selectedIndex = start.requests.length; // it is nobody's example any more
  changed();
}

async function evaluate() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  const pause = by("pause");
  const asked = { policy: textOf(policy), request: textOf(request), pause: pause.valueAsNumber };
  by("pause-refused").textContent = pause.validity.valid && !Number.isNaN(asked.pause) ? "" : "Expected 0 to 604,800 seconds.";
  if (by("pause-refused").textContent) asked.pause = 120;
  try {
    show(await ask("evaluate", asked), asked);
  } catch (error) {
    by("stale").textContent = error.message;
  }
  document.body.dataset.evaluated = Number(document.body.dataset.evaluated ?? 0) + 1;
  asking = false;
  if (again) {
    again = false;
    evaluate();
  }
}

function show(found, asked) {
  if (asked.policy === textOf(policy)) showProblems(policy, found.diagnostics);
  by("refused").textContent = found.refused ?? "";
  if (found.shown) showResults(found.shown);
  const why = found.refused ? "the request cannot be planned" : "the policy has errors";
  const left = by("results").hidden ? "Nothing is shown yet" : "What is below is from before";
  by("stale").textContent = found.shown ? "" : `${left}: ${why}.`;
}

async function choose() {
  const number = by("requests").selectedIndex;
  try {
    open(request, (await ask("request", { number })).text);
    by("requests").selectedIndex = number;
  } catch (error) {
    by("refused").textContent = error.message;
  }
}

// What each file held when this page last read or wrote it.
const seen = new Map([[null, start.seen]]);
let written = start.policy;
const lineEnd = start.policy.includes("\r\n") ? "\r\n" : "\n";

function save() {
  if (!by("saving").hidden) store(false);
  return true;
}

async function store(replace) {
  const text = policy.state.doc.toJSON().join(lineEnd);
  const name = by("name").value.trim() || null;
  const before = replace ? by("replace").dataset.seen || null : seen.get(name) ?? null;
  by("replace").hidden = true;
  try {
    const done = await ask("save", { text, name, seen: before });
    seen.set(name, done.seen);
    written = text;
    by("saved").textContent = `Saved ${name ?? start.name}.`;
  } catch (error) {
    by("saved").textContent = `Not saved: ${error.message}.`;
    if (error.status !== 409) return;
    by("replace").dataset.seen = error.seen ?? "";
    by("replace").hidden = false;
  }
}

by("saving").addEventListener("submit", (event) => {
  event.preventDefault();
  store(false);
});
by("replace").addEventListener("click", () => store(true));
by("name").addEventListener("input", () => {
  by("replace").hidden = true;
  by("saved").textContent = "";
});
by("requests").addEventListener("change", choose);
by("pause").addEventListener("input", changed);
addEventListener("beforeunload", (event) => {
  if (!by("saving").hidden && textOf(policy) !== written.replaceAll("\r\n", "\n")) event.preventDefault();
});

by("policy-name").textContent = start.name;
by("saving").hidden = !start.file && start.folder === null;
by("named").hidden = start.folder === null;
by("folder").textContent = start.folder ?? "";
by("name").required = !start.file;
by("name").placeholder = start.file ? start.name : "policy.yaml";
by("requests").append(...[...start.requests, "what is written below"].map((name) => element("option", name)));
by("requests").lastChild.hidden = true;
if (start.requests.length) await choose();
else evaluate();
