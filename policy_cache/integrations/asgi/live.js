"use strict";
// Names of models and rules are a client's and an operator's: they are only ever set as text.
const EVERY = 2000;
const SVG = "http://www.w3.org/2000/svg";
const number = new Intl.NumberFormat("en-US");
const byId = (id) => document.getElementById(id);

// A text that did not change is left alone, lest it be read out again.
function say(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

// All money of the page has as many digits, as the server says.
let money;
const usd = (amount, unpriced) => (amount === null ? "unknown" : `${money.format(amount)}${unpriced ? ` and ${number.format(unpriced)} unknown` : ""}`);
const saved = (figures) => usd(figures.saved_usd, figures.unpriced);
const share = (figures) => `${Math.round(100 * (figures.read_share ?? 0))}%`;
const clock = (at) => new Date(1000 * at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const date = (at) => new Date(1000 * at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
const requests = (count) => `${number.format(count)} request${count === 1 ? "" : "s"}`;
const sentence = (figures) => (!figures.requests ? "no requests" : `${requests(figures.requests)}, ${share(figures)} of the prompts read from the cache, saved ${usd(figures.saved_usd)}`
  + (figures.unpriced ? ` (${requests(figures.unpriced)} of unknown price)` : ""));

function fill(id, rows, cells) {
  const lines = rows.map((row) => {
    const line = document.createElement("tr");
    cells(row).forEach((text, column) => {
      const cell = document.createElement(column ? "td" : "th");
      if (!column) cell.scope = "row";
      cell.textContent = text;
      line.append(cell);
    });
    return line;
  });
  byId(id).replaceChildren(...lines);
}

const more = (left) => (left ? `and ${number.format(left)} more` : "");

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Bars between the least and the most, from the line of 0.
function draw(id, values, least, most, label) {
  const height = (value) => (100 * (most - value)) / (most - least || 1);
  const width = 600 / values.length;
  const bars = values.map((value, index) => {
    const [top, end] = [height(Math.max(value, 0)), height(Math.min(value, 0))];
    const at = { x: width * index + 1, y: top, width: width - 2, height: end - top };
    return shape("rect", { class: value < 0 ? "loss" : "gain", ...at });
  });
  const zero = shape("line", { class: "zero", x1: 0, x2: 600, y1: height(0), y2: height(0) });
  byId(id).replaceChildren(...bars, zero);
  byId(id).setAttribute("aria-label", label);
}

function charts(found) {
  const amounts = found.minutes.map((minute) => minute.saved_usd ?? 0);
  const [least, most] = [Math.min(0, ...amounts), Math.max(0, ...amounts)];
  draw("saved", amounts, least, most, `Money saved in each minute, in the last hour ${saved(found.hour)}`);
  say("saved-most", usd(most));
  say("saved-least", usd(least));
  const shares = found.minutes.map((minute) => minute.read_share ?? 0);
  draw("share", shares, 0, 1, `Part that was read in each minute, in the last hour ${share(found.hour)}`);
  for (const one of document.querySelectorAll(".from")) one.textContent = clock(found.minutes[0].at);
  for (const one of document.querySelectorAll(".to")) one.textContent = clock(found.at);
}

function misses({ requests: looked, missed_requests: missed, left_out, causes }) {
  say("missed", `${number.format(missed)} of ${requests(looked)} did not read all that they could.`);
  fill("causes", causes, (one) => [
    one.title, one.latest === null ? "" : date(one.latest), number.format(one.last_hour),
    number.format(one.requests), number.format(one.tokens), usd(one.cost_usd),
  ]);
  byId("causes-table").hidden = byId("estimate").hidden = !causes.length;
  say("left-out", left_out ? `${requests(left_out)} ${byId("left-out").dataset.words}.` : "");
}

function show(found) {
  money = new Intl.NumberFormat("en-US", {
    style: "currency", currency: "USD", signDisplay: "negative",
    minimumFractionDigits: found.usd_digits, maximumFractionDigits: found.usd_digits,
  });
  say("hour", `In the last hour: ${sentence(found.hour)}`);
  const since = found.since === null ? "" : `, ${date(found.since)}`;
  say("whole", `Since the start${since}: ${sentence(found.whole)}`);
  say("policies", found.policies.length ? `Policy in force: ${found.policies.map((one) => one.title).join(", ")}` : "");
  say("without-usage", found.without_usage ? `${requests(found.without_usage)} came without usage, and in no sum.` : "");
  charts(found);
  misses(found.misses);
  say("models-more", more(found.rows_left_out));
  fill("models", found.rows, ({ name, hour, whole }) => [
    name, number.format(hour.requests), share(hour), saved(hour), number.format(whole.requests),
    number.format(Math.round(whole.requests_per_hour)), share(whole), saved(whole), usd(whole.saved_usd_per_hour),
  ]);
  say("rules-more", more(found.rules_left_out));
  fill("rules", found.rules, ({ name, hour, whole }) => [
    name, number.format(hour.read), number.format(hour.written), saved(hour),
    number.format(whole.read), number.format(whole.written), saved(whole),
  ]);
}

async function update() {
  try {
    const answer = await fetch("live.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(`it answers ${answer.status}`);
    show(await answer.json());
    say("state", "");
  } catch (error) {
    say("state", `No new figures: ${error.message}. What is shown is from before.`);
  }
  setTimeout(update, EVERY);
}

update();
