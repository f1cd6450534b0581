// The panel: what can be done to the chosen node, each button with the command that it runs.

import { $, h, write } from "./dom.js";
import { post, state, under } from "./store.js";
import { select, word } from "./picture.js";

let told = { mayChange: false, offers: [], scenarios: [], spans: ["10s"], suffix: "" };
let chosen = "";
let time = "10s";
let drawn = "";
const given = {};

export const mayChange = () => told.mayChange;

export const load = async () => {
  told = await (await fetch("/offers")).json();
  document.querySelectorAll(".change").forEach((button) => { button.hidden = !told.mayChange; });
  $("readOnly").hidden = told.mayChange;
  if (!told.mayChange) write($("panelTitle"), "What is done");
  drawn = "";
  draw();
};

const value = (offer, setting, choices) => given[`${offer.name}.${setting.name}`] ?? choices[0] ?? "";

const values = (offer) => {
  const node = state.values[`node/${chosen}`];
  const found = { target: offer.on === "role" ? node.role : chosen, role: node.role, for: time };
  offer.settings.forEach((setting) => { found[setting.name] = value(offer, setting, choices(offer, setting)); });
  return found;
};

const choices = (offer, setting) => {
  const node = state.values[`node/${chosen}`], role = state.values[`role/${node.role}`] || { services: [], count: 1 };
  const others = under("node").map(([name]) => name).filter((name) => name !== chosen);
  const own = { services: node.services || role.services, volumes: node.volumes, nodes: others, roles: [role.count + 1, role.count - 1].filter((count) => count > 0).map(String) };
  return [...setting.choices, ...(own[setting.source] || [])];
};

// The same text that the server makes of it: it refuses what differs.
const command = (offer) => {
  const found = values(offer);
  const plain = time === "none" ? offer.command.replace(" --for {for}", "") : offer.command;
  const text = plain.replace(/\[([^\]]*)\]/g, (_, part) => ([...part.matchAll(/\{(\w+)\}/g)].every((name) => found[name[1]]) ? part : ""));
  return [text.replace(/\{(\w+)\}/g, (_, name) => found[name]), told.suffix].filter(Boolean).join(" ");
};

const show = (text) => { const line = $("command"); if (line) write(line, text); };
const fail = (error) => { const line = $("command"); if (line) write(line, `refused: ${error.message}`); };

const act = (offer) => {
  const { target, role, ...settings } = values(offer);
  post("/do", { do: offer.name, target, settings }).then((done) => show(done.command)).catch(fail);
};

const pick = (offer, setting) => {
  const all = choices(offer, setting);
  const made = h("select", { "aria-label": `${offer.label}: ${setting.label}`, onchange: (event) => { given[`${offer.name}.${setting.name}`] = event.target.value; show(command(offer)); } },
    ...all.map((choice) => h("option", { value: choice, selected: choice === value(offer, setting, all) }, choice || "all")));
  return h("label", {}, `${setting.label} `, made);
};

// What can't be done to a node as it is now, and why.
const refusal = (offer, node) => {
  if (offer.lacks) return offer.lacks;
  const down = ["dead", "paused", "stopped"].includes(node.state);
  if (offer.name === "start") return down ? "" : "it runs";
  if (offer.on === "role") return node.role === "client" ? "there is one client" : "";
  if (down) return `it is ${word(node.state)}`;
  const none = offer.settings.find((setting) => !choices(offer, setting).length);
  if (none) return `it has no ${none.label}`;
  if (offer.on === "primary" && state.values.primary === chosen) return "it is the primary";
  return "";
};

const button = (offer) => {
  const made = h("button", { type: "button", "data-do": offer.name,
    onclick: () => act(offer), onmouseenter: () => show(command(offer)), onfocus: () => show(command(offer)) }, offer.label);
  return h("span", { class: "offer" }, made, ...offer.settings.map((setting) => pick(offer, setting)));
};

const PICKS = { holder: ["VIP's holder", () => state.values.vip?.holder], primary: ["primary", () => state.values.primary] };
const shortcuts = () => Object.entries(PICKS).map(([id, [, who]]) =>
  h("button", { type: "button", "data-pick": id, onclick: () => { if (who()) choose(who()); } }));

const scenarios = () => {
  const list = h("select", { id: "scenario", "aria-label": "Scenario" },
    told.scenarios.every((one) => one.lacks) && h("option", { value: "" }, "none for this cluster"), ...told.scenarios.map((one) => h("option",
    { value: one.name, title: one.lacks || one.summary, disabled: Boolean(one.lacks) }, `${one.name} (${one.lacks || `${one.seconds} s`})`)));
  return h("span", { class: "offer" }, h("button", { type: "button", id: "play",
    onclick: () => post("/scenario", { name: list.value }).then((done) => show(done.command)).catch(fail),
    onfocus: () => show(`lab chaos run ${list.value} ${told.suffix}`) }), list);
};

// What changes by itself, in place: a button must not move under the pointer.
const update = () => {
  const node = state.values[`node/${chosen}`];
  document.querySelectorAll("[data-pick]").forEach((made) => {
    const [label, who] = PICKS[made.dataset.pick];
    made.hidden = !who();
    write(made, `${label}: ${who() || ""}`);
  });
  const play = $("play"), playing = state.values.recording?.playing;
  if (play) {
    const none = told.scenarios.every((one) => one.lacks);
    play.disabled = Boolean(playing) || none;
    play.title = none ? "no scenario can run on this cluster" : "";
    write(play, playing ? "Scenario runs" : "Run scenario");
  }
  if (!node) return;
  if ($("chosenText")) write($("chosenText"), ` is ${word(node.state)}${node.reason ? `: ${node.reason}` : ""} `);
  told.offers.forEach((offer) => {
    const made = document.querySelector(`[data-do="${offer.name}"]`);
    if (!made) return;
    const why = refusal(offer, node);
    if (made.disabled !== Boolean(why)) made.disabled = Boolean(why);
    if (made.title !== (why || offer.says)) made.title = why || offer.says;
  });
};

export const choose = (name) => {
  chosen = name;
  select(name);
  drawn = "";
  draw();
};

export const draw = () => {
  const node = state.values[`node/${chosen}`];
  if (chosen && !node) chosen = "";
  const role = node && state.values[`role/${node.role}`];
  const signature = JSON.stringify([chosen, node?.volumes, node?.services, role, told.mayChange, told.offers.length, under("node").map(([name]) => name)]);
  if (signature !== drawn) build(node, role);
  drawn = signature;
  update();
};

const build = (node, role) => {
  const active = document.activeElement?.closest("#panelBody") ? document.activeElement.dataset.do || document.activeElement.id : "";
  const parts = [];
  if (told.mayChange) parts.push(h("div", { class: "row" }, ...shortcuts(), scenarios()));
  if (!node) parts.push(h("p", { class: "hint" }, "Choose a node of the picture, by mouse, or by Tab and the arrow keys."));
  else {
    const line = h("p", { class: "why", id: "chosen" }, h("strong", {}, chosen), h("span", { id: "chosenText" }), h("span", { class: "of" }, node.address));
    const offered = told.offers.filter((offer) => offer.on === "node" || (offer.on === "role" && node.role !== "client") || (offer.on === "primary" && role?.primary));
    parts.push(h("div", { class: "row" }, line, told.mayChange && h("label", {}, "for ", h("select", { id: "for", onchange: (event) => { time = event.target.value; } },
      ...[...told.spans, "none"].map((each) => h("option", { value: each, selected: each === time }, each === "none" ? "until healed" : each))))));
    if (told.mayChange) parts.push(h("div", { class: "break" }, ...offered.map(button)), h("code", { class: "command", id: "command", "aria-live": "polite" }, "the command of a button is shown here"));
  }
  $("panelBody").replaceChildren(...parts);
  if (active) (document.querySelector(`[data-do="${active}"]`) || $(active))?.focus();
};
