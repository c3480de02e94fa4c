// Stacked bars by day. The page holds the numbers as JSON, and as a table for those who do not see this.
"use strict";
(() => {
  const charts = [];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--certuary-${name}`).trim();
  const day = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
  const grouped = (number) => number.toLocaleString("en-US");

  // The first series is drawn last, at the bottom: each bar reaches to the sum of it and those below.
  function stacked(series) {
    const sums = new Array(series[0].values.length).fill(0);
    return series.map((one) => one.values.map((value, place) => (sums[place] += value)));
  }

  function reading(data, place) {
    if (place === null || place === undefined) return "\u00a0";
    const parts = data.series.filter((one) => one.values[place]).map((one) => `${one.name} ${grouped(one.values[place])}`);
    return `${day(data.days[place])}: ${parts.join(", ") || "none"}`;
  }

  function options(data, element, line) {
    const text = colour("chart-text");
    const grid = { stroke: colour("chart-grid"), width: 1 };
    const font = "12px 'Inter Variable', sans-serif";
    return {
      width: element.clientWidth, height: element.clientHeight, legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: {
        x: { range: (u, low, high) => [low - 43200, high + 43200] },
        y: { range: (u, low, high) => [0, Math.max(4, high * 1.05)] },
      },
      axes: [
        { stroke: text, grid: { show: false }, ticks: grid, font, values: (u, marks) => marks.map((mark) => day(mark).slice(5)), space: 56 },
        { stroke: text, grid, ticks: { show: false }, font, size: 56, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6], values: (u, marks) => marks.map(grouped) },
      ],
      series: [{}, ...data.series.map((one) => {
        const fill = colour(one.tone);
        return { label: one.name, fill, stroke: fill, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.75, 40], align: 0 }) };
      }).reverse()],
      hooks: { setCursor: [(u) => { line.textContent = reading(data, u.cursor.idx); }] },
    };
  }

  function draw(chart) {
    if (chart.plot) chart.plot.destroy();
    chart.plot = new uPlot(options(chart.data, chart.element, chart.line), [chart.data.days, ...stacked(chart.data.series).reverse()], chart.element);
  }

  document.querySelectorAll("[data-chart]").forEach((element) => {
    const name = element.dataset.chart;
    const chart = { element, data: JSON.parse(document.getElementById(name).textContent), line: document.querySelector(`[data-reading="${name}"]`) };
    charts.push(chart);
    draw(chart);
    new ResizeObserver(() => chart.plot.setSize({ width: element.clientWidth, height: element.clientHeight })).observe(element);
  });
  new MutationObserver(() => charts.forEach(draw)).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
})();
