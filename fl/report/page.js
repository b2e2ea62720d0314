"use strict";
// Draws the charts, in the page's colours, and draws them again in others when light or dark changes.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const mouse = matchMedia("(pointer: fine)").matches;
  const config = { responsive: false, displayModeBar: false, scrollZoom: false };

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    const axis = { gridcolor: of("--grid"), linecolor: of("--line"), zerolinecolor: of("--line") };
    return { text: of("--text"), card: of("--card"), line: of("--line"), axis };
  };

  // On a phone the names of the legend stand beneath each other.
  const height = ({ data, layout }) =>
    layout.height + (innerWidth < 600 && layout.showlegend !== false ? 14 * data.length : 0);

  const themed = (figure) => {
    const { layout } = figure;
    const { text, card, line, axis } = colours();
    // On a touch screen a finger that begins on a chart scrolls the page.
    const fixed = mouse ? {} : { fixedrange: true };
    return {
      ...layout,
      autosize: true,
      height: height(figure),
      xaxis: { ...layout.xaxis, ...axis, ...fixed },
      yaxis: { ...layout.yaxis, ...axis, ...fixed },
      font: { family: "system-ui, sans-serif", size: 12, color: text },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { bgcolor: card, bordercolor: line, font: { color: text } },
      dragmode: mouse ? "zoom" : false,
    };
  };

  // The box has the height of its chart, which depends on the width.
  const place = (i) => {
    const box = document.getElementById(`chart-${i}`);
    box.style.height = `${height(figures[i])}px`;
    return box;
  };
  const redraw = () => figures.forEach((figure, i) => Plotly.relayout(place(i), themed(figure)));

  figures.forEach((figure, i) => Plotly.newPlot(place(i), figure.data, themed(figure), config));
  dark.addEventListener("change", redraw);
  let drawn = innerWidth;
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting); // a window that is pulled says so at every step
    waiting = setTimeout(() => {
      if (innerWidth !== drawn) redraw(); // a phone's bars come and go, and change the height alone
      drawn = innerWidth;
    }, 100);
  });
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    redraw();
  });
})();
