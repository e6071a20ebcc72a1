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

function usd(amount, unpriced) {
  if (amount === null) return "unknown";
  const digits = Math.abs(amount) >= 0.1 || amount === 0 ? 2 : 4;
  const size = Math.abs(amount).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${amount < 0 ? "-" : ""}$${size}${unpriced ? ` and ${number.format(unpriced)} unknown` : ""}`;
}

const saved = (figures) => usd(figures.saved_usd, figures.unpriced);
const share = (figures) => `${Math.round(100 * (figures.read_share ?? 0))}%`;
const clock = (at) => new Date(1000 * at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const requests = (count) => `${number.format(count)} request${count === 1 ? "" : "s"}`;
const sentence = (figures) => `${requests(figures.requests)}, ${share(figures)} read, saved ${saved(figures)}`;

function fill(id, rows, left, cells) {
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
  say(`${id}-more`, left ? `and ${number.format(left)} more` : "");
}

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
  draw("saved", amounts, least, most, `Money saved by minute, in the last hour ${saved(found.hour)}`);
  say("saved-most", usd(most));
  say("saved-least", usd(least));
  const shares = found.minutes.map((minute) => minute.read_share ?? 0);
  draw("share", shares, 0, 1, `Read share by minute, in the last hour ${share(found.hour)}`);
  for (const one of document.querySelectorAll(".from")) one.textContent = clock(found.minutes[0].at);
  for (const one of document.querySelectorAll(".to")) one.textContent = clock(found.at);
}

function show(found) {
  const hours = Math.max(60, found.at - (found.since ?? found.at)) / 3600;
  const hourly = (figures) => (figures.saved_usd === null ? "unknown" : usd(figures.saved_usd / hours));
  say("hour", `In the last hour: ${sentence(found.hour)}`);
  const since = found.since === null ? "" : ` since ${new Date(1000 * found.since).toLocaleString()}`;
  say("whole", `In all${since}: ${sentence(found.whole)}`);
  say("revisions", found.revisions.length ? `Policy in force: ${found.revisions.join(", ")}` : "");
  charts(found);
  fill("models", found.rows, found.rows_left_out, ({ name, hour, whole }) => [
    name, number.format(hour.requests), share(hour), saved(hour), number.format(whole.requests),
    number.format(Math.round(whole.requests / hours)), share(whole), saved(whole), hourly(whole),
  ]);
  fill("rules", found.rules, found.rules_left_out, ({ name, hour, whole }) => [
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
