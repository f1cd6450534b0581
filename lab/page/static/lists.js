// Promises, events, works, clusters and the lesson.

import { $, clock, h, span, write } from "./dom.js";
import { now, post, state, under } from "./store.js";

const MARKS = { holds: "✓", broken: "✗", lost: "✗", duplicated: "✗", stale: "✗", unknown: "?" };
const WORKS = { running: "… ", done: "✓ ", failed: "✗ " };
const SHOWN = 200;
const memory = new Map();

// Builds again only what changed.
const once = (key, signature, build) => {
  if (memory.get(key) === signature) return;
  memory.set(key, signature);
  build();
};

const promise = ([name, told]) => {
  const bound = told.bound === null ? "" : `promised ${told.bound.toFixed(2)} s`;
  const kind = { lost: "broken", duplicated: "broken", stale: "broken" }[told.result] || told.result || "";
  return h("li", { class: kind, "data-promise": name, "data-result": told.result || "" },
    h("strong", {}, name), " ", told.result ? h("span", { class: "of" }, `after ${told.of}`) : h("span", { class: "of" }, "not measured yet"),
    told.result ? h("div", { class: "figure" }, `${MARKS[told.result]} ${told.result === "holds" ? "" : `${told.result}: `}${told.figure}${bound && `, ${bound}`}`) : h("div", {}, bound || told.says),
    told.formula && h("code", { class: "formula" }, `${told.bound.toFixed(2)} s = ${told.formula}`));
};

export const drawPromises = () => {
  const all = under("promise").sort(([a, x], [b, y]) => (y.at || 0) - (x.at || 0) || a.localeCompare(b));
  once("promises", JSON.stringify(all), () => {
    write($("promiseCount"), `${all.filter(([, told]) => told.result).length} of ${all.length} measured`);
    $("promiseList").replaceChildren(...all.map(promise));
  });
};

const GOOD = /is ready|is back|put .* back|^reverted|holds: /;
const BAD = /is dead|took .* out|is out of|does not answer|broken|is not ready|is paused|is stopped|^failed/;

const entry = (one) => {
  const mood = one.kind === "fault" && one.text.startsWith("fault") ? "fault" : BAD.test(one.text) ? "bad" : GOOD.test(one.text) ? "good" : "";
  return h("li", { class: mood, "data-kind": one.kind },
    h("details", {}, h("summary", {}, h("time", {}, clock(one.at)), h("span", { class: "kind" }, one.kind), h("span", { class: "text" }, one.text)), h("code", {}, one.raw)));
};

const wanted = (one) => {
  const kind = $("kind").value, text = $("find").value.toLowerCase();
  return (!kind || one.kind === kind) && (!text || `${one.node} ${one.text} ${one.raw}`.toLowerCase().includes(text));
};

// All of them; a new filter, or a snapshot.
export const drawEvents = () => {
  const found = state.events.filter(wanted).slice(-SHOWN).reverse();
  $("eventList").replaceChildren(...(found.length ? found.map(entry) : [h("li", { class: "hint" }, "no event yet")]));
};

export const addEvents = (events) => {
  const list = $("eventList");
  if (list.firstElementChild && list.firstElementChild.classList.contains("hint")) list.replaceChildren();
  events.filter(wanted).forEach((one) => list.prepend(entry(one)));
  while (list.children.length > SHOWN) list.lastElementChild.remove();
  const spoken = events.filter((one) => one.kind === "node" || one.kind === "vip" || one.kind === "primary").map((one) => one.text);
  if (spoken.length) write($("spoken"), spoken.join(". "));
};

export const drawWorks = () => {
  const all = under("work").sort(([, a], [, b]) => b.id - a.id).slice(0, 6);
  const left = (work) => (work.state === "running" && work.until ? ` (${span(work.until - now())} left)` : "");
  once("works", JSON.stringify(all) + all.map(([, work]) => left(work)).join(), () => {
    $("works").replaceChildren(...all.map(([, work]) => h("li", { class: work.state, "data-work": work.id },
      h("span", { class: "mark-word" }, WORKS[work.state]), h("code", {}, work.command), ` ${work.said}${left(work)} `,
      work.link && h("a", { href: work.link, target: "_blank", rel: "noopener" }, "open the report"))));
  });
};

export const drawClusters = () => {
  const all = state.values.clusters || [];
  once("clusters", JSON.stringify(all) + state.values.cluster?.name, () => {
    $("clusterList").replaceChildren(...(all.length ? all.map((one) => {
      const own = one.name === state.values.cluster?.name;
      const site = one.endpoints.find((each) => each.name === "site") || one.endpoints[0];
      return h("li", {}, h("strong", {}, one.name), own ? " (this page)" : "", `: ${one.running} of ${one.nodes} nodes run`,
        one.vip ? `, VIP ${one.vip}` : "", site ? [", ", h("a", { href: site.url, target: "_blank", rel: "noopener" }, site.url)] : "",
        own ? "" : [" ", h("code", {}, `lab page -n ${one.name}`)]);
    }) : [h("li", { class: "hint" }, "not listed yet, or this backend does not list them")]));
  });
};

// Blocks of a text: the tag and its content, as `lab.learning.blocks` makes them; what is no list is text.
const TAGS = new Set("p ul ol li blockquote pre code strong em h3 h4 br hr details summary table thead tbody tr th td".split(" "));
// What scrolls can be focused: a keyboard scrolls it.
const block = (one) => (Array.isArray(one)
  ? h(TAGS.has(one[0]) ? one[0] : "span", one[0] === "pre" ? { tabindex: "0" } : {}, ...one.slice(1).map(block))
  : String(one));

const SIGNS = { done: "✓", failed: "✗", unknown: "?", open: "○" };
const STATES = { done: "green", failed: "red", unknown: "unknown", open: "open" };
const unfolded = new Map();
const section = (id, open, summary, ...content) => {
  const own = `${id}/${open}`; // what a person folded stays so until it is another task's turn
  return h("details", { open: unfolded.get(own) ?? open, ontoggle: (event) => unfolded.set(own, event.target.open) }, h("summary", {}, summary), ...content);
};

const moment = (at) => (now() - at < 43200 ? clock(at) : `${new Date(at * 1000).toLocaleDateString()} ${clock(at)}`);

const drawTask = (task, mayChange) => {
  const folded = task.state === "done" && !task.next; // the answer of a green task is not what is looked for
  const answer = [
    task.figure && h("p", { class: "said" }, task.figure),
    (task.hints || []).length > 0 && h("ul", { class: "hints", "aria-label": "Hints" }, ...task.hints.map((hint) => h("li", {}, ...hint.map(block))))];
  const own = mayChange && !task.next ? task.actions || [] : [];
  const was = task.wasGreen ? `; was green at ${moment(task.wasGreen)}` : "";
  return h("li", { class: `${task.state}${task.next ? " next" : ""}`, "data-task": task.id },
    section(task.id, Boolean(task.next), [h("span", { class: "mark-word" }, `${SIGNS[task.state] || "○"} `), h("strong", {}, task.says), h("span", { class: "of" }, ` ${STATES[task.state] || ""}${was}`)],
      ...(task.text || []).map(block),
      own.length > 0 && h("div", { class: "row" }, ...own.map((one) => button(one, task.id))),
      ...(folded ? answer : [])),
    !folded && h("div", { class: "answer" }, ...answer));
};

// The newest answer is scrolled into view: at once where it is the same as before, else when it is drawn.
const REVEALED = 5000; // milliseconds
let awaited = null;
const bring = (element, block) => {
  const panel = $("lesson"), box = element.getBoundingClientRect(), view = panel.getBoundingClientRect();
  if (getComputedStyle(panel).overflowY !== "auto") { element.scrollIntoView({ block }); return; }
  // The panel alone: the picture beside it stays where it is.
  const top = view.top + $("lessonBar").offsetHeight + 6;
  if (block === "start" || box.top < top) panel.scrollTop += box.top - top;
  else panel.scrollTop += Math.max(0, Math.min(box.bottom - view.bottom + 10, box.top - top));
};
const reveal = () => {
  if (!awaited || performance.now() > awaited.until) return;
  const item = document.querySelector(`[data-task="${awaited.task}"]`);
  if (!item) return;
  const hint = awaited.verb === "hint" && item.querySelector(".answer .hints > li:last-child");
  if (item.matches(".done")) bring(item, "start");
  else bring(hint || item.querySelector(".answer") || item, "nearest");
};

// One check at a time, as the server allows: a press meanwhile would be refused, and the click lost.
// `aria-disabled` keeps the focus where it is, which `disabled` moves to the top of the page.
let acting = false;
const offered = (made) => { if (acting) made.setAttribute("aria-disabled", "true"); else made.removeAttribute("aria-disabled"); return made; };
const busy = (now) => { acting = now; document.querySelectorAll("#lesson [data-verb]").forEach(offered); };

const act = (one, id) => {
  if (acting) return;
  const task = id || (state.values.lesson?.tasks || []).find((each) => each.next)?.id;
  busy(true);
  write($("lessonSaid"), `… ${one.command}`);
  post("/lesson", { verb: one.verb, values: id ? { task: id } : {} }).then((told) => {
    write($("lessonSaid"), told.said);
    awaited = { task, verb: one.verb, until: performance.now() + REVEALED };
    reveal();
  }, (error) => write($("lessonSaid"), error.message)).finally(() => busy(false));
};

const button = (one, id = "") => h("span", { class: "offer" },
  offered(h("button", { type: "button", "data-verb": one.verb, "data-of": id, onclick: () => act(one, id) }, one.label)), h("code", {}, one.command));

const counted = (tasks) => {
  const green = tasks.filter((task) => task.state === "done").length, were = tasks.filter((task) => task.wasGreen).length;
  return tasks.length ? `${green} of ${tasks.length} green${were ? `, ${were} not any more` : ""}` : "";
};

export const drawLesson = (mayChange) => {
  const lesson = state.values.lesson;
  $("taught").hidden = !lesson;
  document.querySelector("main").classList.toggle("taught", Boolean(lesson));
  once("lesson", JSON.stringify(lesson) + mayChange, () => {
    if (!lesson) return;
    const tasks = lesson.tasks || [], before = document.activeElement?.dataset;
    write($("lessonTitle"), lesson.title || "Lesson");
    write($("lessonCount"), counted(tasks));
    const intro = (lesson.text || []).map(block), untouched = tasks.every((task) => task.state === "open");
    $("lessonBody").replaceChildren(
      ...(tasks.length && intro.length ? [section("intro", untouched, "What this is about", ...intro)] : intro),
      h("ol", { class: "tasks" }, ...tasks.map((task) => drawTask(task, mayChange))),
      ...(lesson.after || []).map((one) => section(one.id, true, h("strong", {}, one.says), ...(one.text || []).map(block))));
    const actions = mayChange ? lesson.actions || [] : [];
    $("lessonActions").replaceChildren(...actions.map((one) => button(one)));
    if (before?.verb) document.querySelector(`[data-verb="${before.verb}"][data-of="${before.of}"]`)?.focus({ preventScroll: true });
    reveal();
  });
};
