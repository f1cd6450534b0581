// Starts the page, and loads it again where a part of it was not loaded: browsers abort requests when an address of the
// machine comes or goes, as the networks of clusters do.

const KEY = "lab-page-loads", MOST = 5, WAIT = 400;

const loaded = new Promise((done) => { addEventListener("load", done); });
const styled = () => getComputedStyle(document.documentElement).getPropertyValue("--paper") !== "";

const again = (why) => {
  const count = Number(sessionStorage.getItem(KEY)) + 1;
  sessionStorage.setItem(KEY, count);
  if (count <= MOST) { setTimeout(() => location.reload(), WAIT * count); return; }
  const sign = document.getElementById("stale");
  sign.hidden = false;
  sign.textContent = `the page was not loaded (${why}); load it again`;
  sessionStorage.removeItem(KEY);
};

Promise.all([import("./page.js"), loaded]).then(
  () => { if (styled()) sessionStorage.removeItem(KEY); else again("its style is missing"); },
  (error) => again(error.message),
);
