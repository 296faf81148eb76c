"use strict";
/* The demo's page. What is drawn is classified by the server on this machine, see leo_tf/serving/demo/app.py.

   A request carries all that its answer depends on. One is under way at a time; what was drawn meanwhile is asked
   next, so that the latest drawing is always the one that is answered last. */

const $ = (id) => document.getElementById(id);
const TAB = Array.from(crypto.getRandomValues(new Uint32Array(4)), (each) => each.toString(36)).join("-");
const COLOURS = 10;
const STROKE = 21; // of the board's 320 pixels: about as thick as letters are
const KINDS = { drawings: "Drawings", photos: "Photos" };

const state = {
  kind: "drawings",
  kinds: {}, // what the server tells of each
  ready: {}, // {kind: steps of its LEO, or null}, of those whose models are open
  sets: {}, // {kind: {classes, query, tries, answer}}
  step: 0,
  number: 0, // of requests
  times: [], // ms from a stroke to its answer, the last ones
};

const set = () => state.sets[state.kind];
const newSet = () => ({ classes: ["A", "B", "C"].map(newClass), query: {}, tries: [], answer: null });
const newClass = (name) => ({ name, examples: [] }); // of {url, embedding}

/* The server */

async function call(path, options) {
  const response = await fetch(path, options).catch(() => null);
  if (!response) throw new Error("The server does not answer. Is its command still running?");
  const found = await response.json().catch(() => ({ error: `The server says ${response.status}.` }));
  if (!response.ok) throw Object.assign(new Error(found.error || response.statusText), { status: response.status });
  return found;
}

const post = (path, body, type) => call(path, { method: "POST", body, headers: { "Content-Type": type } });

function problem(error) {
  $("problem").textContent = error ? error.message || error : "";
  $("problem").hidden = !error;
}

async function open(kind) {
  if (kind in state.ready) return;
  say("Loading the models …");
  try {
    state.ready[kind] = (await post(`api/kinds/${kind}`, "", "application/json")).steps;
  } catch (error) {
    problem(error);
    say("");
    return;
  }
  if (kind !== state.kind) return;
  say("");
  state.step = last();
  render();
  ask();
}

async function embed(blob, kind = state.kind) {
  if (blob.size > state.limits.bytes) throw new Error(`${blob.name || "The picture"} has more than ${state.limits.bytes >> 20} MB; scale it down.`);
  const type = blob.type.startsWith("image/") ? blob.type : "image/unknown";
  return (await post(`api/embed/${kind}`, blob, type)).embedding;
}

let underWay = false;
let wanted = false;
let since = null; // when the first stroke was drawn that no request tells of yet

async function ask() {
  wanted = true;
  if (underWay) return;
  underWay = true;
  try {
    while (wanted) {
      wanted = false;
      await askOnce();
    }
  } finally {
    underWay = false;
  }
}

async function askOnce() {
  const asked = set();
  const kind = state.kind;
  const rows = asked.classes.flatMap((each, row) => (each.examples.length ? [row] : []));
  const drawnAt = since;
  since = null;
  if (!(kind in state.ready) || rows.length < state.limits.ways[0]) {
    asked.answer = null;
    return show();
  }
  const body = { tab: TAB, number: ++state.number, classes: rows.map((row) => asked.classes[row].examples.map((each) => each.embedding)) };
  if (asked.query.embedding) body.embedding = asked.query.embedding;
  else if (asked.query.url) body.picture = asked.query.url().split(",")[1];
  const structure = asked.structure;
  try {
    const answer = await post(`api/answer/${kind}`, JSON.stringify(body), "application/json");
    if (asked !== set() || structure !== asked.structure || answer.number !== state.number) return;
    problem(null);
    asked.answer = { ...answer, rows };
    show();
    if (drawnAt !== null) took(performance.now() - drawnAt);
  } catch (error) {
    if (error.status === 503) {
      wanted = true; // many tabs draw: a little later
      await new Promise((resolve) => setTimeout(resolve, 100));
    } else if (error.status !== 409) problem(error);
  }
}

function took(milliseconds) {
  state.times = [...state.times, milliseconds].slice(-100);
  const slowest = Math.max(...state.times);
  const others = state.times.length > 1 ? `, at most ${Math.round(slowest)} ms of the last ${state.times.length}` : "";
  $("took").textContent = `Probabilities came ${Math.round(milliseconds)} ms after the stroke${others}.`;
  $("took").dataset.times = JSON.stringify(state.times);
}

/* The drawing board. It is black on nothing, which is taken as white; the style sheet inverts it in the dark. */

const canvas = $("canvas");
const pen = canvas.getContext("2d", { willReadFrequently: true });
let strokes = []; // each a list of [x, y]
let stamp = null; // or a picture, or a text, in their stead

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
}

function paint() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  Object.assign(pen, { lineWidth: STROKE, lineCap: "round", lineJoin: "round", strokeStyle: "#000", fillStyle: "#000" });
  if (stamp instanceof Image) pen.drawImage(stamp, 32, 32, canvas.width - 64, canvas.height - 64);
  if (typeof stamp === "string") {
    Object.assign(pen, { font: "208px sans-serif", textAlign: "center", textBaseline: "middle" });
    pen.fillText(stamp, canvas.width / 2, canvas.height / 2, canvas.width - 40);
  }
  for (const points of strokes) {
    pen.beginPath();
    pen.arc(...points[0], STROKE / 2, 0, 7); // a line without length is not drawn
    pen.fill();
    pen.beginPath();
    pen.moveTo(...points[0]);
    points.forEach(([x, y], i) => {
      const [nextX, nextY] = points[i + 1] || [x, y];
      pen.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    });
    pen.stroke();
  }
}

function drawn(at = performance.now()) {
  paint();
  const some = strokes.length || stamp;
  set().query = some ? { url: () => canvas.toDataURL("image/png") } : {};
  $("hint").hidden = Boolean(some);
  since = some ? since ?? at : null;
  ask();
}

function clear() {
  say("");
  [strokes, stamp] = [[], null];
  $("type").value = "";
  drawn();
}

function stampOn(picture) {
  [strokes, stamp] = [[], picture];
  drawn();
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  event.preventDefault();
  canvas.focus({ preventScroll: true });
  canvas.setPointerCapture(event.pointerId);
  if (stamp) clear();
  strokes.push([place(event)]);
  drawn(event.timeStamp);
});

canvas.addEventListener("pointermove", (event) => {
  if (!canvas.hasPointerCapture(event.pointerId)) return;
  const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const each of all.length ? all : [event]) strokes.at(-1).push(place(each));
  drawn(event.timeStamp);
});

canvas.addEventListener("keydown", (event) => {
  if (event.key === "Backspace" || event.key === "Delete") clear();
  else if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
  else if (/^[0-9]$/.test(event.key) && !event.repeat && !event.ctrlKey && !event.metaKey && !event.altKey) addTo((Number(event.key) + 9) % 10);
  else return;
  event.preventDefault();
});

function undo() {
  stamp = null;
  strokes.pop();
  drawn();
}

/* Classes, and their examples */

async function addTo(row) {
  const { classes, query } = set();
  if (!classes[row]) return;
  if (!query.url) return say(state.kind === "photos" ? "Choose a photo first." : "Draw something first.");
  const url = query.url();
  const blob = query.blob || blobOf(url);
  if (await addExample(classes[row], url, query.embedding || (() => embed(blob)))) {
    if (state.kind === "drawings") clear();
    say(`Added to ${classes[row].name || `class ${row + 1}`}.`);
  }
}

async function addExample(to, url, embedding) {
  const full = () => to.examples.length >= state.limits.examples;
  const told = `A class has at most ${state.limits.examples} examples.`;
  if (full()) return problem(told);
  try {
    const found = typeof embedding === "string" ? embedding : await embedding();
    if (full()) return problem(told); // others came meanwhile
    to.examples.push({ url, embedding: found });
  } catch (error) {
    return problem(error);
  }
  problem(null);
  changed();
  return true;
}

function changed() {
  set().structure = {}; // answers to what was before count no more
  set().answer = null;
  render();
  ask();
}

async function addFiles(row, files) {
  const { kind } = state; // which may be another before the last is there
  const to = set().classes[row];
  for (const file of files) await addExample(to, await thumbnail(file), () => embed(file, kind));
}

async function askAbout(file) {
  if (!file) return;
  const asked = set();
  const url = await thumbnail(file, 512);
  try {
    const embedding = state.kind === "photos" ? await embed(file) : null;
    if (asked !== set()) return;
    if (!embedding) return stampOn(await picture(url));
    asked.query = { url: () => url, embedding, blob: file };
  } catch (error) {
    return problem(error);
  }
  problem(null);
  render();
  ask();
}

/* What a file shows, small; a file that this browser cannot show may still be one that the server can read. */
async function thumbnail(file, side = 128) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return "data:,";
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const small = Object.assign(document.createElement("canvas"), {
    width: Math.max(1, Math.round(bitmap.width * scale)),
    height: Math.max(1, Math.round(bitmap.height * scale)),
  });
  small.getContext("2d").drawImage(bitmap, 0, 0, small.width, small.height);
  bitmap.close();
  return small.toDataURL("image/png");
}

/* The file that a data: URL holds; fetch may not load one here. */
function blobOf(url) {
  const [head, data] = url.split(",");
  return new Blob([Uint8Array.from(atob(data), (each) => each.charCodeAt(0))], { type: head.slice(5).split(";")[0] });
}

async function picture(url) {
  const found = Object.assign(new Image(), { src: url });
  await found.decode();
  return found;
}

function shuffled(list) {
  const found = [...list];
  for (let i = found.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [found[i], found[j]] = [found[j], found[i]];
  }
  return found;
}

async function takeAlphabet(alphabet) {
  const letters = shuffled(alphabet.letters).slice(0, 5);
  const fresh = { ...newSet(), classes: letters.map((each) => newClass(each.name)) };
  state.sets.drawings = fresh;
  changed();
  clear();
  for (const [i, letter] of letters.entries()) {
    const [url] = letter.pictures;
    if (fresh !== set() || !(await addExample(fresh.classes[i], url, () => embed(blobOf(url))))) return;
  }
  fresh.tries = shuffled(letters).map((each) => ({ name: each.name, url: each.pictures[1] }));
  render();
  stampOn(await picture(fresh.tries[0].url));
}

/* What is shown */

function element(tag, attributes = {}, ...children) {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) found.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) found.setAttribute(name, value === true ? "" : value);
  }
  found.append(...children);
  return found;
}

const own = (row) => `var(--c${row % COLOURS})`;
function percent(value) {
  if (value < 0.0005) return "< 0.1\u00a0%";
  if (value >= 0.9995) return "> 99.9\u00a0%";
  return `${(100 * value).toFixed(value >= 0.0995 && value < 0.9895 ? 0 : 1)}\u00a0%`;
}

const steps = () => state.ready[state.kind];
const last = () => (steps() ? steps().latent + steps().finetuning : 0);

let quiet = null;
function say(text, later = 0) {
  clearTimeout(quiet);
  quiet = setTimeout(() => ($("said").textContent = text), later);
}

function render() {
  const focused = document.activeElement && document.activeElement.id;
  const { classes, tries, query } = set();
  const described = state.kinds[state.kind];
  const photos = state.kind === "photos";
  for (const [id, there] of [["board", !photos], ["tools", !photos], ["photo", photos], ["alphabets", !photos], ["keys", !photos]]) $(id).hidden = !there;
  $("query-title").textContent = photos ? "Photo" : "Draw";
  $("shown").hidden = !(photos && query.url);
  if (photos && query.url) $("shown").src = query.url();
  $("methods").replaceChildren(element("th", { scope: "col" }, "Class and examples"), ...described.methods.map(heading));
  $("rows").replaceChildren(...classes.map((each, row) => rowOf(each, row, described.methods)));
  $("rows").className = photos ? "" : "ink";
  $("more").disabled = classes.length >= state.limits.ways[1];
  $("tries").hidden = !tries.length;
  $("tries").className = "ink";
  $("tries").replaceChildren(
    element("span", {}, "To try:"),
    ...tries.map(({ name, url }, i) =>
      element("button", { type: "button", id: `try-${i}`, "aria-label": `Try another picture of ${name}`, onclick: async () => stampOn(await picture(url)) }, element("img", { src: url, alt: "" }))),
  );
  const gone = /^(?:example|drop)-(\d+)/.exec(focused || ""); // by its own press: the class is what is nearest
  const next = $(focused) || (gone && $(`add-${Math.min(gone[1], classes.length - 1)}`));
  if (next && document.activeElement !== next) next.focus({ preventScroll: true });
  show();
}

function heading({ model, title, accuracy, sizes, calibrated }) {
  const note = [accuracy !== null && `${accuracy.toFixed(1)} % right on the test, ${sizes}`, !calibrated && "not calibrated"];
  return element("th", { scope: "col", id: `of-${model}` }, element("span", {}, title), element("small", {}, note.filter(Boolean).join("; ")));
}

function rowOf(each, row, methods) {
  const name = () => each.name || `class ${row + 1}`;
  const add = state.kind === "photos"
    ? element("label", { class: "button" }, "Add photos", element("input", { type: "file", multiple: true, accept: "image/*", class: "unseen", id: `add-${row}`, "aria-label": `Add photos to class ${row + 1}`, onchange: (event) => addFiles(row, [...event.target.files]) }))
    : element("button", { type: "button", id: `add-${row}`, "aria-label": `Add the drawing to class ${row + 1}`, onclick: () => addTo(row) }, "Add");
  const examples = each.examples.map(({ url }, i) =>
    element("button", { type: "button", id: `example-${row}-${i}`, title: "Remove", "aria-label": `Remove example ${i + 1} of ${name()}`, onclick: () => (each.examples.splice(i, 1), changed()) }, element("img", { src: url, alt: "" })));
  const remove = element("button", { type: "button", id: `drop-${row}`, class: "drop", "aria-label": `Remove class ${row + 1}`, title: "Remove this class", onclick: () => (set().classes.splice(row, 1), changed()) }, "×");
  const head = element("div", { class: "row" },
    element("input", { type: "text", id: `name-${row}`, value: each.name, maxlength: 40, "aria-label": `Name of class ${row + 1}`, oninput: (event) => ((each.name = event.target.value), show()) }),
    add,
    element("span", { class: "examples" }, ...(examples.length ? examples : ["no example yet"])),
    ...(set().classes.length > state.limits.ways[0] ? [remove] : []));
  const cells = methods.map(({ model, title }) =>
    element("td", { class: "p", "data-model": model }, element("span", { class: "name" }, title), element("b", {}, "–"), element("span", { class: "bar", "aria-hidden": true }, element("span"))));
  const found = element("tr", { id: `row-${row}` }, element("th", { scope: "row" }, head), ...cells);
  found.style.setProperty("--own", own(row));
  takesFiles(found, (files) => addFiles(row, files));
  return found;
}

/* What the models say now: numbers, bars and figures; nothing else of the page changes. */
function show() {
  const { answer, classes, query } = set();
  const described = state.kinds[state.kind];
  const enough = classes.filter((each) => each.examples.length).length >= state.limits.ways[0];
  $("first").hidden = enough;
  $("first").textContent = state.kind === "photos" ? "Give photos to two classes at least, then choose one to classify." : "Draw on the board, and add it to a class. When two classes have an example, whatever you draw is classified. Or take five letters of an alphabet that the models have not seen.";
  const said = [];
  for (const { model, title } of described.methods) {
    const values = query.url && answer ? ofModel(answer, model) : null;
    const best = values ? values.indexOf(Math.max(...values)) : -1;
    for (const row of classes.keys()) showCell(row, model, values && answer.rows.includes(row) ? values[answer.rows.indexOf(row)] : null, answer && answer.rows[best] === row);
    if (values) said.push(`${title}: ${classes[answer.rows[best]].name || "no name"}, ${percent(values[best])}`);
  }
  if (said.length) say(`${said.join("; ")}.`, 700);
  showSteps(answer, described.leo);
}

function ofModel(answer, model) {
  if (model !== state.kinds[state.kind].leo) return (answer.of_methods || {})[model] || null;
  return answer.of_steps ? answer.of_steps[state.step] : null;
}

function showCell(row, model, value, best) {
  const cell = document.querySelector(`#row-${row} [data-model="${model}"]`);
  cell.classList.toggle("best", Boolean(best && value !== null));
  if (cell.dataset.value === String(value ?? "")) return;
  cell.dataset.value = value ?? "";
  cell.querySelector("b").textContent = value === null ? "–" : percent(value);
  cell.querySelector(".bar span").style.transform = `scaleX(${value ?? 0})`;
}

function stepName(step) {
  if (step === 0) return "before any step";
  return step <= steps().latent ? `latent step ${step} of ${steps().latent}` : `fine-tuning step ${step - steps().latent} of ${steps().finetuning}`;
}

function showSteps(answer, leo) {
  $("inside").hidden = !(answer && answer.steps);
  $("without").hidden = !$("inside").hidden;
  $("without").textContent = leo ? "When two classes have an example, this shows how their codes move, how the loss of the examples falls, and how the answer changes." : "No LEO comes with the package for photos. Its steps are shown with drawings.";
  if (!(answer && answer.steps)) return;
  $("step").max = last();
  $("step").value = state.step;
  $("step").setAttribute("aria-valuetext", stepName(state.step));
  $("at").textContent = `${state.step}: ${stepName(state.step)}`;
  const now = state.step === last() ? "LEO" : `LEO, ${stepName(state.step)}`;
  for (const each of document.querySelectorAll(`#of-${leo} > span, [data-model="${leo}"] > .name`)) each.textContent = now;
  const names = answer.rows.map((row) => set().classes[row].name);
  const these = JSON.stringify([state.step, names, answer.rows, answer.steps]);
  if (these !== showSteps.drawn) {
    drawPlane(answer);
    drawLosses(answer);
    showSteps.drawn = these; // a stroke changes neither
  }
  drawChances(answer);
}

/* Figures */

const WIDE = 340;
const HIGH = 220;

function svg(tag, attributes, text) {
  const found = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "row") found.style.setProperty("--own", own(value));
    else found.setAttribute(name, value);
  }
  if (text !== undefined) found.textContent = text;
  return found;
}

const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
const short = (name) => (name.length > 9 ? `${name.slice(0, 8)}…` : name);

function figure(id, parts, says) {
  $(id).replaceChildren(...parts);
  $(id).setAttribute("aria-label", says);
  $(`${id}-says`).textContent = says;
}

function drawPlane(answer) {
  const told = answer.steps;
  const all = told.codes.flat();
  const [left, right] = [Math.min(...all.map((each) => each[0])), Math.max(...all.map((each) => each[0]))];
  const [low, high] = [Math.min(...all.map((each) => each[1])), Math.max(...all.map((each) => each[1]))];
  const scale = Math.min((WIDE - 80) / (right - left || 1), (HIGH - 40) / (high - low || 1));
  const at = ([x, y]) => [WIDE / 2 + (x - (left + right) / 2) * scale, HIGH / 2 - (y - (low + high) / 2) * scale];
  const now = Math.min(state.step, told.codes.length - 1);
  const trails = answer.rows.flatMap((row, i) => {
    const points = told.codes.map((codes) => at(codes[i]));
    const [x, y] = points[now];
    const name = short(set().classes[row].name);
    const wide = 14 + 8 * name.length;
    const before = x > WIDE - wide || (points[0][0] > x && x > wide); // the name, not to lie on the trail
    return [
      svg("path", { class: "line far", row, d: path(points) }),
      svg("path", { class: "line", row, d: path(points.slice(0, now + 1)) }),
      svg("circle", { class: "dot", row, r: 2.5, cx: points[0][0], cy: points[0][1] }),
      svg("circle", { class: "dot code", row, r: 6, cx: x, cy: y }),
      svg("text", { class: "label halo", row, x: x + (before ? -9 : 9), y: y + 4, "text-anchor": before ? "end" : "start" }, name),
    ];
  });
  const parts = [svg("rect", { class: "axis", x: 0.5, y: 0.5, width: WIDE - 1, height: HIGH - 1 }), ...trails];
  const share = told.variance === null ? "" : ` (${percent(told.variance)} of their variance)`;
  figure("plane", parts, `Codes z of the classes, in the plane of their first two principal components${share}; the small dots are where they begin. Fine-tuning leaves them.`);
}

function axes(highest, labels) {
  const [left, right, top, bottom] = [40, WIDE - 72, 12, HIGH - 34];
  const x = (step) => left + ((right - left) * step) / last();
  const y = (value) => bottom - ((bottom - top) * value) / highest;
  const border = x(steps().latent);
  const parts = [
    svg("path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}M${border} ${top}V${bottom + 5}` }),
    svg("path", { class: "now", d: `M${x(state.step)} ${top}V${bottom}` }),
    ...labels.map(([value, text]) => svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, text)),
    svg("text", { x: (left + border) / 2, y: bottom + 18, "text-anchor": "middle" }, "latent steps"),
    svg("text", { x: (border + right) / 2, y: bottom + 18, "text-anchor": "middle" }, "fine-tuning"),
  ];
  return { x, y, parts };
}

const nats = (loss) => loss.toFixed(loss < 0.1 ? 3 : 2);

function drawLosses(answer) {
  const { losses } = answer.steps;
  const highest = Math.max(...losses) * 1.05 || 1;
  const { x, y, parts } = axes(highest, [[0, "0"], [highest, highest.toFixed(highest < 0.1 ? 2 : 1)]]);
  const points = losses.map((loss, step) => [x(step), y(loss)]);
  const [nowX, nowY] = points[state.step];
  parts.push(svg("path", { class: "line", d: path(points) }), ...points.map(([cx, cy]) => svg("circle", { class: "dot", r: 2.5, cx, cy })), svg("circle", { class: "dot", r: 6, cx: nowX, cy: nowY }));
  const now = state.step > 0 && state.step < last() ? `${nats(losses[state.step])} now, ` : "";
  figure("losses", parts, `Mean cross-entropy of your examples, in nats: ${nats(losses[0])} before any step, ${now}${nats(losses.at(-1))} after all.`);
}

function drawChances(answer) {
  const chances = set().query.url ? answer.of_steps : null;
  if (!chances) return figure("chances", [], "Draw something, to see what LEO says of it after each step.");
  const { x, y, parts } = axes(1, [[0, "0"], [0.5, "50 %"], [1, "100 %"]]);
  const ends = answer.rows.map((row, i) => ({ row, i, value: chances.at(-1)[i] })).sort((a, b) => b.value - a.value);
  for (const { row, i } of [...ends].reverse()) parts.push(svg("path", { class: "line", row, d: path(chances.map((each, step) => [x(step), y(each[i])])) }), svg("circle", { class: "dot", row, r: 4.5, cx: x(state.step), cy: y(chances[state.step][i]) }));
  let below = -Infinity;
  for (const { row, value } of ends) {
    const height = Math.max(y(value) + 4, below + 13);
    below = height;
    if (height < HIGH - 20) parts.push(svg("text", { class: "label", row, x: x(last()) + 8, y: height }, short(set().classes[row].name)));
  }
  const now = chances[state.step];
  const best = now.indexOf(Math.max(...now));
  figure("chances", parts, `What LEO says of it after each step; now ${set().classes[answer.rows[best]].name}, ${percent(now[best])}.`);
}

let playing = null;
function play() {
  if (playing) return stop();
  $("play").textContent = "Stop";
  let next = 0;
  playing = setInterval(() => {
    if (next > last()) return stop();
    state.step = next++;
    show();
  }, 500);
}

function stop() {
  clearInterval(playing);
  playing = null;
  $("play").textContent = "Play";
}

/* Start */

function takesFiles(target, take) {
  target.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    target.classList.add("over");
  });
  target.addEventListener("dragleave", () => target.classList.remove("over"));
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
}

function choose(kind) {
  stop();
  state.kind = kind;
  problem(null);
  say("");
  state.step = last();
  render();
  if (kind === "drawings") drawn();
  since = null;
  open(kind);
  ask();
}

function addClass() {
  const { classes } = set();
  const free = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".split("").find((name) => classes.every((each) => each.name !== name));
  classes.push(newClass(free));
  changed();
  $(`name-${classes.length - 1}`).focus();
}

function listen() {
  $("undo").addEventListener("click", undo);
  $("clear").addEventListener("click", clear);
  $("type").addEventListener("input", (event) => stampOn(event.target.value.trim() || null));
  $("more").addEventListener("click", addClass);
  $("over").addEventListener("click", () => {
    state.sets[state.kind] = newSet();
    changed();
    if (state.kind === "drawings") clear();
  });
  $("step").addEventListener("input", (event) => {
    stop();
    state.step = Number(event.target.value);
    show();
  });
  $("play").addEventListener("click", play);
  $("file").addEventListener("change", (event) => askAbout(event.target.files[0]));
  takesFiles($("query"), (files) => askAbout(files[0]));
  // A file that misses its target would replace the page.
  for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
}

async function start() {
  listen();
  paint();
  try {
    Object.assign(state, await call("api/kinds"));
  } catch (error) {
    return problem(error);
  }
  for (const kind of Object.keys(state.kinds)) state.sets[kind] = newSet();
  state.kind = Object.keys(state.kinds)[0];
  $("kinds").append(...Object.keys(state.kinds).map((kind) =>
    element("label", {}, element("input", { type: "radio", name: "kind", id: `kind-${kind}`, checked: kind === state.kind, onchange: () => choose(kind) }), ` ${KINDS[kind]}`)));
  $("alphabets").append(...state.alphabets.map((each) => element("button", { type: "button", id: `alphabet-${each.name}`, onclick: () => takeAlphabet(each) }, `5 letters of ${each.name}`)));
  choose(state.kind);
}

start();
