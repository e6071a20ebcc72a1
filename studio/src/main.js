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

// What each file holds, as this page last read or wrote it: its content, and that as the editor has it.
const files = new Map([[null, { content: start.policy, text: textOf(policy), seen: start.seen }]]);
let written = textOf(policy);
const lineEnds = new Set(start.policy.match(/\r\n|\r|\n/g));
const lineEnd = lineEnds.size ? [...lineEnds][0] : "\n";

// One after the other: each writes over what the one before has written.
let saving = Promise.resolve();

function save() {
  if (!by("saving").hidden) saving = saving.then(() => store(false));
  return true;
}

async function store(replace) {
  const text = textOf(policy), name = by("name").value.trim() || null;
  const file = files.get(name);
  const before = replace ? by("replace").dataset.seen || null : file?.seen ?? null;
  by("replace").hidden = true;
  const content = file?.text === text ? file.content : text.replaceAll("\n", lineEnd);
  try {
    const done = await ask("save", { text: content, name, seen: before });
    files.set(name, { content, text, seen: done.seen });
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
  save();
});
by("replace").addEventListener("click", () => (saving = saving.then(() => store(true))));
by("name").addEventListener("input", () => {
  by("replace").hidden = true;
  by("saved").textContent = "";
});
by("requests").addEventListener("change", choose);
by("pause").addEventListener("input", changed);
addEventListener("beforeunload", (event) => {
  if (!by("saving").hidden && textOf(policy) !== written) event.preventDefault();
});

by("policy-name").textContent = start.name;
by("saving").hidden = !start.file && start.folder === null;
by("named").hidden = start.folder === null;
by("folder").textContent = start.folder ?? "";
if (lineEnds.size > 1 && start.file) by("saved").textContent = "Its lines end in several ways; once it is changed and saved, all will end as the first one does.";
by("name").required = !start.file;
by("name").placeholder = start.file ? start.name : "policy.yaml";
by("requests").append(...[...start.requests, "what is written below"].map((name) => element("option", name)));
by("requests").lastChild.hidden = true;
if (start.requests.length) await choose();
else evaluate();
