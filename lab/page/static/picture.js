// The picture: the SVG of the server, with states, badges, faults and flow drawn into it.

import { $, s, span, write } from "./dom.js";
import { now, state, under } from "./store.js";

const GLYPHS = {
  ready: "M-4 0L-1 3.5L4.5 -3.5", "not-ready": "M0 -4.5V1M0 4V4.5", paused: "M-2.5 -4V4M2.5 -4V4",
  "by-hand": "M-4 4L-3 1L2 -4L4 -2L-1 3Z", stopped: "M-3 -3H3V3H-3Z", dead: "M-3.5 -3.5L3.5 3.5M3.5 -3.5L-3.5 3.5",
  unknown: "M-2.5 -2Q-2.5 -5 0 -5Q3 -5 3 -2.3Q3 -.5 0 1.3M0 4V4.5",
};
const WORDS = { ready: "ready", "not-ready": "not ready", "by-hand": "by hand", paused: "paused", stopped: "stopped", dead: "dead", unknown: "unknown" };
const SIGNS = { kill: "kill", stop: "stop", pause: "pause", cut: "cut off", slow: "slow", fill: "full", freeze: "frozen" };
let version = Number($("pictureBox").dataset.version); // that of the picture in the page; 0: none
let loading = false;
let chosen = "";
let choose = () => {};

export const word = (name) => WORDS[name] || name;
export const onChoose = (act) => { choose = act; };
export const select = (name) => {
  chosen = name;
  document.querySelectorAll(".node").forEach((node) => {
    const own = node.dataset.node === name;
    node.classList.toggle("chosen", own);
    node.setAttribute("tabindex", own ? "0" : "-1");
    node.setAttribute("aria-pressed", own);
  });
};

const load = async () => {
  if (loading || state.values.picture === version || !state.values.picture) return;
  loading = true;
  try {
    const wanted = state.values.picture;
    const text = await (await fetch("/picture.svg")).text();
    const made = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    $("pictureBox").replaceChildren(document.importNode(made, true));
    version = wanted;
    wire();
  } catch {
    return; // the next drawing asks again
  } finally {
    loading = false;
  }
  draw();
};

const centre = (node) => {
  const box = node.getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
};

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const neighbour = (from, [dx, dy]) => {
  const [x, y] = centre(from);
  let best = null, least = Infinity;
  document.querySelectorAll(".node").forEach((other) => {
    if (other === from) return;
    const [ox, oy] = centre(other);
    const along = (ox - x) * dx + (oy - y) * dy, across = Math.abs((ox - x) * dy) + Math.abs((oy - y) * dx);
    if (along > 4 && along + 3 * across < least) { best = other; least = along + 3 * across; }
  });
  return best;
};

// A picture of few nodes is neither blown up to the width of the screen nor wider than a phone.
const LARGEST = 1.4, SMALLEST = 0.75, LEGIBLE = 620;
const fit = () => {
  const picture = $("picture");
  if (!picture) return;
  const { width } = picture.viewBox.baseVal;
  picture.style.maxWidth = `${Math.round(width * LARGEST)}px`;
  picture.style.minWidth = `${Math.round(Math.min(width * SMALLEST, LEGIBLE))}px`;
};

// What lies beside the part of a wide picture that is in view: named, so that nobody takes the part for the whole.
const SIDES = [["moreLeft", (node, view) => node.left < view.left - 6, (text) => `◂ ${text}`],
  ["moreRight", (node, view) => node.right > view.right + 6, (text) => `${text} ▸`]];
const beside = () => {
  const box = $("pictureBox"), wide = box.scrollWidth > box.clientWidth + 1, view = box.getBoundingClientRect();
  const nodes = wide ? [...document.querySelectorAll(".node")].map((node) => [node.dataset.node, node.querySelector(".box").getBoundingClientRect()]) : [];
  SIDES.forEach(([id, out, said]) => {
    const names = nodes.filter(([, node]) => out(node, view)).sort(([, one], [, other]) => one.left - other.left).map(([name]) => name);
    $(id).hidden = !names.length;
    write($(id), said(names.length > 3 ? `${names.slice(0, 3).join(", ")}, ${names.length - 3} more` : names.join(", ")));
  });
};
const turn = (way) => { const box = $("pictureBox"); box.scrollBy(way * box.clientWidth * 0.7, 0); };
$("moreLeft").addEventListener("click", () => turn(-1));
$("moreRight").addEventListener("click", () => turn(1));
$("pictureBox").addEventListener("scroll", beside, { passive: true });

// The nodes that a person works on are in view at first.
let sought = false;
const seek = () => {
  const own = (state.values.cluster?.byHand || []).map((name) => $(`node-${name}`)).find(Boolean), box = $("pictureBox");
  if (sought || !own) return;
  sought = true;
  box.scrollLeft += centre(own)[0] - centre(box)[0];
};

const wire = () => {
  fit();
  const nodes = [...document.querySelectorAll(".node")];
  nodes.forEach((node) => {
    node.addEventListener("click", () => choose(node.dataset.node));
    node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(node.dataset.node); }
      const to = MOVES[event.key] && neighbour(node, MOVES[event.key]);
      if (to) { event.preventDefault(); node.setAttribute("tabindex", "-1"); to.setAttribute("tabindex", "0"); to.focus(); }
    });
  });
  if (nodes.length && !nodes.some((node) => node.dataset.node === chosen)) nodes[0].setAttribute("tabindex", "0");
  else select(chosen);
};

const pill = (kind, text, x, y, anchor) => {
  const width = text.length * 7.2 + 14;
  const left = anchor === "end" ? x - width : x;
  return [s("g", { class: kind, transform: `translate(${left} ${y})` },
    s("rect", { width, height: 17, rx: 8.5 }), s("text", { x: width / 2, y: 12.5, "text-anchor": "middle" }, text)), width];
};

const badges = (node, name, told) => {
  const texts = [];
  if (state.values.primary === name) texts.push(["badge", "★ primary"]);
  told.badges.forEach((badge) => {
    const text = badge.kind === "backup" && badge.value ? `backup ${span(now() - badge.value)} ago` : badge.text;
    texts.push([badge.warn ? "badge warn" : "badge plain", text.length > 24 ? `${text.slice(0, 23)}…` : text]);
  });
  const signature = JSON.stringify(texts);
  const group = node.querySelector(".badges");
  if (group.dataset.was === signature) return;
  group.dataset.was = signature;
  let x = 0;
  group.replaceChildren(...texts.map(([kind, text]) => {
    const [made, width] = pill(kind, text, x, 0, "start");
    x += width + 3;
    return [made, " "];
  }).flat());
};

const faults = (node, told) => {
  const texts = told.faults.map((mark) => state.values[`fault/${mark}`]).filter(Boolean).map((fault) => `⚡ ${SIGNS[fault.kind] || fault.kind}`);
  const signature = JSON.stringify(texts);
  const group = node.querySelector(".faults");
  if (group.dataset.was === signature) return;
  group.dataset.was = signature;
  group.replaceChildren(...texts.flatMap((text, index) => [pill("fault", text, 4, index * 18 - 8, "end")[0], " "]));
};

// The state line of a node: the word, what flows, and the age where it is not fresh.
const line = (name, told, isStale) => {
  if (isStale) return "stale";
  const proven = (state.values.proofs || {})[name];
  const age = proven ? now() - proven : null;
  const parts = [word(told.state)];
  if (told.state === "ready" && told.rate) parts.push(`${told.rate}/s`);
  else if (age !== null && age > 3) parts.push(span(age));
  return parts.join(" · ");
};

export const draw = (isStale = document.body.classList.contains("stale")) => {
  load();
  const nodes = new Map(under("node"));
  document.querySelectorAll(".node").forEach((node) => {
    const name = node.dataset.node;
    const told = nodes.get(name) || { state: "unknown", reason: "not listed by the engine", badges: [], faults: [], rate: 0 };
    const shown = isStale ? "unknown" : told.state;
    Object.keys(WORDS).forEach((each) => node.classList.toggle(each, each === shown));
    node.querySelector(".glyph").setAttribute("d", GLYPHS[shown]);
    write(node.querySelector(".state"), line(name, told, isStale));
    badges(node, name, told);
    faults(node, told);
    // What is seen comes first in its name, as it is seen.
    const extra = [state.values.vip?.holder === name && "holds the VIP", told.reason];
    const label = [node.textContent.replace(/\s+/g, " ").trim(), ...extra].filter(Boolean).join(", ");
    if (node.getAttribute("aria-label") !== label) node.setAttribute("aria-label", label);
  });
  drawEdges();
  drawVip();
  seek();
  beside();
};

// In steps of the redraws: an animation by the browser took half a core of a machine without a GPU.
let step = 0;
export const moveFlow = () => {
  step = (step + 4.5) % 18;
  $("pictureBox").style.setProperty("--step", -step);
};

const drawEdges = () => {
  document.querySelectorAll(".edge").forEach((edge) => {
    const told = state.values[`edge/${edge.dataset.from}>${edge.dataset.to}`] || {};
    edge.classList.toggle("out", Boolean(told.out));
    edge.classList.toggle("cut", Boolean(told.cut));
    edge.classList.toggle("slow", Boolean(told.slow));
    edge.classList.toggle("flows", Boolean(told.rate));
    edge.querySelector(".flow").style.strokeWidth = told.rate ? `${Math.min(11, 1.5 + Math.sqrt(told.rate))}px` : "0";
  });
};

const drawVip = () => {
  const vip = $("vip"), holder = (state.values.vip || {}).holder;
  if (!vip) return;
  const node = holder && $(`node-${holder}`);
  vip.classList.toggle("hidden", !node);
  if (!node) return;
  vip.dataset.holder = holder;
  const place = node.transform.baseVal.consolidate().matrix;
  const wanted = `translate(${place.e}px, ${place.f - 5}px)`;
  if (vip.style.transform !== wanted) vip.style.transform = wanted;
};

wire();
