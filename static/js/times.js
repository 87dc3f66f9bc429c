// Keeps <time data-when="long|short"> current; the same words as kit/filters.py.

const STEPS = [
  [31536000, "y"],
  [2592000, "mo"],
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
];

function words(age, short) {
  for (const [step, unit] of STEPS) {
    if (Math.abs(age) < step) continue;
    const steps = Math.abs(age) / step;
    const count = Math.floor(steps);
    if (short) return count + unit;
    return age > 0 ? `${count} ${unit} ago` : `in ${Math.round(steps)} ${unit}`;
  }
  return short ? "now" : "just now";
}

function refresh() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-when]")) {
    const age = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const text = words(age, time.dataset.when === "short");
    if (time.textContent !== text) time.textContent = text;
  }
}

setInterval(refresh, 20000);
document.addEventListener("visibilitychange", refresh);
