// The page: what is drawn when, the header, and the stale sign.

import { $, span, write } from "./dom.js";
import { connect, keepToken, now, onChange, post, stale, state } from "./store.js";
import { draw as drawPicture, moveFlow, onChoose } from "./picture.js";
import { drawCharts } from "./charts.js";
import { addEvents, drawClusters, drawEvents, drawLesson, drawPromises, drawWorks } from "./lists.js";
import { choose, draw as drawPanel, load, mayChange } from "./actions.js";

// The token of the printed address is a cookie now; it need not stay in the history.
keepToken(new URLSearchParams(location.search).get("token"));
if (location.search) history.replaceState(null, "", location.pathname);

const dark = matchMedia("(prefers-color-scheme: dark)");
const THEMES = ["system", "light", "dark"];
let theme = localStorage.getItem("lab-theme") || "system";
const paint = () => {
  document.documentElement.classList.toggle("dark", theme === "dark" || (theme === "system" && dark.matches));
  $("theme").setAttribute("aria-label", `Colours: ${theme}. Change`);
};
dark.addEventListener("change", paint);
$("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  localStorage.setItem("lab-theme", theme);
  paint();
});
paint();

let waiting = true;
const header = () => {
  const why = stale(), cluster = state.values.cluster, gone = cluster && cluster.gone;
  const isStale = Boolean(why) || Boolean(gone);
  document.body.classList.toggle("stale", isStale);
  document.body.classList.toggle("waiting", waiting && Boolean(why));
  waiting = waiting && Boolean(why);
  const banner = gone ? `the cluster '${cluster.name}' does not exist any more; '${state.values.again || "lab up"}' creates it again` : why;
  $("stale").hidden = !banner || waiting;
  write($("stale"), waiting ? "" : banner);
  const verdict = $("verdict"), kind = gone ? "dead" : isStale ? "stale" : cluster?.ready ? "ready" : "not-ready";
  verdict.className = `pill ${waiting ? "" : kind}`;
  write(verdict, waiting ? "waiting" : gone ? "gone" : { stale: "stale", ready: "✓ ready", "not-ready": "! not ready" }[kind]);
  if (!cluster) return;
  write($("cluster"), cluster.name);
  if (document.title !== `${cluster.name}: ${verdict.textContent}`) document.title = `${cluster.name}: ${verdict.textContent}`;
  const probes = state.values.source && !state.values.source.probes && !isStale ? ` · no probes: ${state.values.source.probesWhy}` : "";
  const awaited = cluster.nodes - cluster.byHand.length, byHand = cluster.byHand.length ? `; by hand: ${cluster.byHand.join(", ")}` : "";
  write($("healthText"), `${awaited - cluster.down.length} of ${awaited} nodes ready on ${cluster.backend}${cluster.down.length ? `; not: ${cluster.down.join(", ")}` : ""}${byHand}${probes}`);
  const visitors = state.values.visitors, recording = state.values.recording;
  if (visitors) {
    $("visitors").setAttribute("aria-pressed", visitors.on);
    write($("visitors"), visitors.on ? `Visitors: ${visitors.rate}/s` : "Visitors: off");
    write($("rateText"), visitors.on ? `${visitors.rate} visitors a second, probes ${state.values.pace} a second` : `no visitors, probes ${state.values.pace} a second`);
  }
  if (recording) {
    $("record").setAttribute("aria-pressed", Boolean(recording.since));
    write($("record"), recording.since ? `■ Stop (${span(now() - recording.since)})` : "● Record");
  }
};

// A button that is replaced between its press and its release gets no click: what has buttons is drawn after the release.
let pressed = false;
addEventListener("pointerdown", () => { pressed = true; }, true);
const release = () => { pressed = false; soon(); };
addEventListener("pointerup", release, true);
addEventListener("pointercancel", release, true);
addEventListener("blur", release); // of the window: a release elsewhere is not told

const everything = () => {
  header();
  drawPicture(document.body.classList.contains("stale"));
  if (pressed) return;
  drawPanel();
  drawPromises();
  drawWorks();
  drawClusters();
  drawLesson(mayChange());
};

let pending = false;
const soon = () => {
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => { pending = false; everything(); });
};

onChange((kind, told) => {
  if (kind === "snapshot") { drawEvents(); drawCharts(); load().catch(() => {}); }
  if (kind === "delta" && told.events) addEvents(told.events);
  if (kind === "delta" && told.set?.picture) load().catch(() => {}); // other nodes: other scenarios can run
  soon();
});
// Ages, the stale sign, the requests that flow and the charts go on without news.
setInterval(() => { moveFlow(); everything(); }, 250);
setInterval(() => { if (!document.body.classList.contains("stale")) drawCharts(); }, 1000);

onChoose(choose);
$("find").addEventListener("input", drawEvents);
$("kind").addEventListener("change", drawEvents);
const told = (work) => work.catch((error) => write($("spoken"), error.message));
$("heal").addEventListener("click", () => told(post("/heal", {})));
$("visitors").addEventListener("click", () => told(post("/visitors", { on: $("visitors").getAttribute("aria-pressed") !== "true" })));
$("record").addEventListener("click", () => told(post("/recording", { on: $("record").getAttribute("aria-pressed") !== "true" })));
connect();
