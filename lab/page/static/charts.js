// Three charts of the last two minutes, with a band for each fault. Lines differ by their dashes too.

import { $, s } from "./dom.js";
import { now, state, under } from "./store.js";

const SECONDS = 120, WIDTH = 360, LEFT = 58, RIGHT = 6, TOP = 20;
const bands = new Map();

const x = (at, end) => LEFT + ((at - end + SECONDS) / SECONDS) * (WIDTH - LEFT - RIGHT);

// Faults that ended stay as bands until they leave the chart.
const remember = () => {
  const here = new Map(under("fault"));
  here.forEach((fault, mark) => bands.set(mark, { begun: fault.begun, ended: null, text: fault.text }));
  bands.forEach((band, mark) => {
    if (!here.has(mark) && band.ended === null) band.ended = now();
    if (band.ended !== null && band.ended < now() - SECONDS) bands.delete(mark);
  });
};

const frame = (title, height, inner, end, legend = []) => {
  const bottom = TOP + height;
  const marks = [...bands.values()].map((band) => {
    const left = Math.max(LEFT, x(band.begun, end)), right = Math.min(WIDTH - RIGHT, x(band.ended ?? end, end));
    return s("rect", { class: "band", x: left, y: TOP, width: Math.max(2, right - left), height }, s("title", {}, band.text));
  });
  const ticks = [0, 30, 60, 90, 120].map((ago) => s("text", { class: "tick", x: x(end - ago, end), y: bottom + 12, "text-anchor": ago ? (ago === 120 ? "start" : "middle") : "end" }, ago ? `-${ago} s` : "now"));
  let at = WIDTH - RIGHT;
  const keys = [...legend].reverse().flatMap(([name, kind, shape]) => {
    at -= name.length * 6.4 + 26;
    const key = shape === "line" ? s("path", { class: `line ${kind}`, d: `M${at} 8H${at + 15}` }) : s("rect", { class: `bar ${kind}`, x: at + 3, y: 3, width: 10, height: 9 });
    return [key, s("text", { class: "tick", x: at + 18, y: 12 }, name)];
  });
  return s("svg", { viewBox: `0 0 ${WIDTH} ${bottom + 16}` }, s("text", { class: "title", x: 0, y: 12 }, title), ...keys, ...marks, ...inner, ...ticks);
};

const POWERS = [1, 10, 100, 1000, 10000];
const drawTimes = (end) => {
  const height = 76;
  const values = state.points.flatMap((point) => [point.p50, point.max]).filter((value) => value > 0);
  const low = Math.max(0, Math.floor(Math.log10(Math.min(...values, 10)))), high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(...values, 10))));
  const y = (value) => TOP + height - ((Math.log10(Math.max(value, 0.1)) - low) / (high - low)) * height;
  const grid = POWERS.filter((power) => power >= 10 ** low && power <= 10 ** high).flatMap((power) => [
    s("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(power), y2: y(power) }),
    s("text", { class: "tick", x: LEFT - 4, y: y(power) + 4, "text-anchor": "end" }, power >= 1000 ? `${power / 1000} s` : `${power} ms`)]);
  const lines = [["max", "max"], ["p99", "p99"], ["p50", "p50"]].map(([key, kind]) => {
    let path = "", pen = false;
    state.points.forEach((point) => {
      if (point[key] === undefined) { pen = false; return; }
      path += `${pen ? "L" : "M"}${x(point.at + 0.5, end).toFixed(1)} ${y(point[key]).toFixed(1)}`;
      pen = true;
    });
    return s("path", { class: `line ${kind}`, d: path });
  });
  const last = [...state.points].reverse().find((point) => point.p50 !== undefined);
  $("times").setAttribute("aria-label", last ? `Response times: median ${last.p50} ms, 99 percent ${last.p99} ms, slowest ${last.max} ms` : "Response times: no visitors");
  $("times").replaceChildren(frame("response time", height, [...grid, ...lines], end, [["median", "p50", "line"], ["99 %", "p99", "line"], ["slowest", "max", "line"]]));
};

const drawRates = (end) => {
  const height = 58;
  const names = [...new Set(state.points.flatMap((point) => Object.keys(point.served || {})))].sort();
  const most = Math.max(5, ...state.points.map((point) => point.n || 0));
  const bars = [], width = (WIDTH - LEFT - RIGHT) / SECONDS;
  let failed = 0;
  state.points.forEach((point) => {
    let y = TOP + height;
    const left = x(point.at, end);
    if (left < LEFT) return;
    failed += point.failed || 0;
    const put = (count, kind) => {
      const tall = (count / most) * height;
      y -= tall;
      if (count) bars.push(s("rect", { class: `bar ${kind}`, x: left.toFixed(1), y: y.toFixed(1), width: width.toFixed(1), height: tall.toFixed(1) }));
    };
    names.forEach((name, index) => put((point.served || {})[name] || 0, `c${index % 8}`));
    put(point.failed || 0, "failed");
  });
  const grid = [0, most].flatMap((value) => [s("text", { class: "tick", x: LEFT - 4, y: TOP + height - (value / most) * height + (value ? 8 : 0), "text-anchor": "end" }, `${value}/s`)]);
  $("rates").setAttribute("aria-label", `Requests a second by the node that served them; ${failed} failed in two minutes`);
  $("rates").dataset.failed = failed;
  $("rates").replaceChildren(frame(`who served; ${failed} failed`, height, [...grid, ...bars], end, [...names.slice(0, 4).map((name, index) => [name, `c${index % 8}`, "bar"])]));
};

// The name of a lane: a long one is narrowed, and one that would not be legible so is cut, with a sign of it.
const WHOLE = 9, NARROWED = 14;
const label = (name, y) => {
  const shown = name.length > NARROWED ? `${name.slice(0, NARROWED - 1)}…` : name;
  const narrow = shown.length > WHOLE ? { textLength: LEFT - 6, lengthAdjust: "spacingAndGlyphs" } : {};
  return s("text", { class: "tick", x: LEFT - 4, y, "text-anchor": "end", ...narrow }, shown, s("title", {}, name));
};

const drawLanes = (end) => {
  const names = state.values.streams || [], row = names.length > 16 ? 9.5 : 12, height = Math.max(1, names.length) * row;
  const width = (WIDTH - LEFT - RIGHT) / SECONDS + 0.3, inner = [];
  const seconds = state.points.filter((point) => x(point.at, end) >= LEFT);
  names.forEach((name, index) => {
    const y = TOP + index * row;
    inner.push(label(name, y + row - 3));
    let begun = null;
    const close = (to) => { if (begun !== null) inner.push(s("rect", { class: "lane-ok", x: begun, y: y + row * 0.35, width: Math.max(1, to - begun), height: row * 0.3 })); begun = null; };
    seconds.forEach((point) => {
      const left = x(point.at, end), share = (point.bad || {})[name];
      if (share) { close(left); inner.push(s("rect", { class: "lane-bad", x: left, y: y + 1, width, height: row - 2 }, s("title", {}, `${name}: ${Math.round(share * 100)} % of its probes failed or hung`))); }
      else if (point.asked && begun === null) begun = left;
      else if (!point.asked) close(left);
    });
    if (seconds.length) close(x(seconds[seconds.length - 1].at + 1, end));
  });
  const bad = names.filter((name) => seconds.some((point) => (point.bad || {})[name]));
  $("lanes").setAttribute("aria-label", bad.length ? `Addresses that did not answer in the last two minutes: ${bad.join(", ")}` : "Every address answered in the last two minutes");
  $("lanes").replaceChildren(frame("", height, inner, end));
};

export const drawCharts = () => {
  remember();
  const end = Math.floor(now());
  drawTimes(end);
  drawRates(end);
  drawLanes(end);
};
