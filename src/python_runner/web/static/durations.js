// Draws how long the scripts of a project took. The numbers are in the table behind it.
(function () {
  "use strict";

  const place = document.getElementById("durations");
  if (!place) return;
  const facts = JSON.parse(place.dataset.durations);
  const language = window.dashboard.language;
  const dayFormat = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
  const timeFormat = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const bothFormat = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
  const unit = (value) => {
    if (value === null || value === undefined) return "–";
    if (value < 60) return value.toLocaleString(language, { maximumFractionDigits: value < 10 ? 2 : 0 }) + "\u00a0s";
    const minutes = Math.floor(value / 60);
    return minutes < 60
      ? minutes + "\u00a0min" + (value % 60 >= 0.5 ? " " + Math.round(value % 60) + "\u00a0s" : "")
      : Math.floor(minutes / 60) + "\u00a0h " + (minutes % 60) + "\u00a0min";
  };
  const colours = {
    light: ["#0a4fb3", "#b3261e", "#1a7232", "#7a35b5", "#855400", "#00696e", "#9c3f6f", "#57606a"],
    dark: ["#8ab8ff", "#ff8a80", "#6fcf87", "#cfa6f5", "#e5b04b", "#5fd0d6", "#f19cc4", "#a2abb5"],
  };
  let chart = null;

  function draw() {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--dim").trim();
    const line = style.getPropertyValue("--line").trim();
    const dark = style.colorScheme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    const own = colours[dark ? "dark" : "light"];
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    const series = [{ label: place.dataset.time, value: (chart, value) => (value === null ? "–" : bothFormat.format(value * 1000)) }];
    const days = (chart, values, at, space, step) =>
      values.map((value) => (step < 86400 ? timeFormat : dayFormat).format(value * 1000));
    const bands = [];
    facts.series.forEach((one, at) => {
      const colour = own[at % own.length];
      series.push({
        label: one.script,
        stroke: colour,
        width: 2,
        dash: at < own.length ? [] : [6, 4],
        spanGaps: true,
        points: { size: 5 },
        value: (chart, value) => unit(value),
      });
    });
    const data = [facts.times, ...facts.series.map((one) => one.values)];
    if (facts.band) {
      const at = series.length;
      series.push({ label: facts.band.high.label, stroke: ink, width: 1, dash: [3, 3], points: { show: false }, value: (chart, value) => unit(value) });
      series.push({ label: facts.band.low.label, stroke: ink, width: 1, dash: [3, 3], points: { show: false }, value: (chart, value) => unit(value) });
      bands.push({ series: [at, at + 1], fill: line + "66" });
      data.push(facts.times.map(() => facts.band.high.value), facts.times.map(() => facts.band.low.value));
    }
    if (chart) chart.destroy();
    chart = new uPlot({
      width: place.clientWidth,
      height: 260,
      series,
      bands,
      axes: [{ ...axis, values: days }, { ...axis, size: 70, values: (chart, values) => values.map(unit) }],
      cursor: { drag: { x: true, y: false } },
    }, data, place);
    chart.over.addEventListener("click", () => {
      const at = chart.cursor.idx;
      if (at !== null && facts.links[at]) location.href = facts.links[at];
    });
  }

  draw();
  let timer = 0;
  new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (chart && chart.width !== place.clientWidth) chart.setSize({ width: place.clientWidth, height: 260 });
    }, 100);
  }).observe(place);
  document.addEventListener("themed", draw);
})();
