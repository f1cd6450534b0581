// The state of the page in the browser: one snapshot, then deltas, in order of their numbers.
// A number that is missing means a new snapshot, which the server sends when the stream is opened again.

const STALE = 1500; // milliseconds without a beat of the collector
const RETRY = 1000; // milliseconds until it is tried again; the first time less: the connection alone may have ended
const FIRST_RETRY = 100;
const POINTS = 120;
const EVENTS = 300;

export const state = { values: {}, points: [], events: [], seq: 0, epoch: "", at: 0, beaten: 0, connected: false, skew: 0 };
const listeners = [];

export const onChange = (listener) => listeners.push(listener);
const tell = (kind, what) => listeners.forEach((listener) => listener(kind, what));

export const under = (prefix) =>
  Object.entries(state.values).filter(([key]) => key.startsWith(`${prefix}/`)).map(([key, value]) => [key.slice(prefix.length + 1), value]);

// Seconds of the server's clock.
export const now = () => (Date.now() - state.skew) / 1000;

const merge = (points) => {
  const known = new Map(state.points.map((point) => [point.at, point]));
  points.forEach((point) => known.set(point.at, point));
  state.points = [...known.values()].sort((a, b) => a.at - b.at).slice(-POINTS);
};

const beat = (told) => {
  state.seq = told.seq;
  state.at = told.at;
  // What the server kept may be old: nobody looked. Its age counts.
  state.beaten = performance.now() - Math.max(0, told.sent - told.at) * 1000;
  state.skew = Date.now() - told.sent * 1000;
};

export const snapshot = (told) => {
  state.values = told.set;
  state.points = told.points.slice(-POINTS);
  state.events = told.events.slice(-EVENTS);
  state.epoch = told.epoch;
  beat(told);
  // A number of 0 is a collector that has not looked yet: nothing is proven by it.
  if (!told.seq) state.beaten = 0;
  tell("snapshot", { events: state.events });
};

export const delta = (told) => {
  if (told.seq !== state.seq + 1) return false;
  if (told.set || told.gone) state.values = { ...state.values, ...told.set };
  (told.gone || []).forEach((key) => delete state.values[key]);
  if (told.points) merge(told.points);
  if (told.events) state.events = [...state.events, ...told.events].slice(-EVENTS);
  beat(told);
  tell("delta", told);
  return true;
};

// Why what is shown can't be relied on; empty while it can.
export const stale = () => {
  const age = performance.now() - state.beaten;
  if (!state.beaten) return "waiting for the first answer";
  const seconds = Math.floor(age / 1000);
  if (!state.connected && age > STALE) return `stale: the page lost its server ${seconds} s ago; it tries again by itself`;
  if (age > STALE) return `stale: nothing was heard of the cluster for ${seconds} s`;
  const source = state.values.source;
  if (source && !source.engine) return `stale: the engine can't be asked: ${source.engineWhy}`;
  return "";
};

let source, failures = 0;
const retry = () => (failures++ ? RETRY : FIRST_RETRY);
export const connect = () => {
  source = new EventSource("/events");
  source.addEventListener("open", () => { state.connected = true; tell("connection"); });
  source.addEventListener("snapshot", (message) => { state.connected = true; failures = 0; snapshot(JSON.parse(message.data)); });
  source.addEventListener("delta", (message) => {
    if (!delta(JSON.parse(message.data))) again(0);
  });
  source.addEventListener("error", () => {
    state.connected = false;
    tell("connection");
    if (token()) again(retry(), enter);
    else if (source.readyState === EventSource.CLOSED) again(retry());
  });
};

const again = (milliseconds, act = connect) => {
  source.close();
  setTimeout(act, milliseconds);
};

// A cookie is of one run of the page. The token is kept for this tab, and by the browser for this port alone: by it,
// a tab finds a restarted page again.
const token = () => sessionStorage.getItem("lab-page-token");
export const keepToken = (text) => { if (text) sessionStorage.setItem("lab-page-token", text); };
const enter = () =>
  fetch("/", { headers: { Authorization: `Bearer ${token()}` } }).then(connect, () => again(RETRY, enter));

export const post = async (path, body) => {
  const answer = await fetch(path, { method: "POST", headers: { "X-Lab-Page": "1", "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const text = await answer.text();
  let told;
  try { told = JSON.parse(text); } catch { told = { error: text.trim() }; }
  if (!answer.ok) throw new Error([told.error, told.next].filter(Boolean).join("; "));
  return told;
};
