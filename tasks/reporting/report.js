"use strict";
(() => {
  document.documentElement.setAttribute("data-scripted", "yes");
  const views = new Map();
  const options = { renderer: "svg", actions: false, ast: true, tooltip: { theme: "custom" } };
  const drawn = [...document.querySelectorAll("script[data-chart]")].map(async (data) => {
    const name = data.dataset.chart;
    const target = document.getElementById(`chart-${name}`);
    try {
      const { view } = await vegaEmbed(target, JSON.parse(data.textContent), options);
      views.set(name, view);
    } catch (error) {
      target.textContent = "This chart could not be drawn. Its numbers are in the tables beneath.";
      console.error(name, error);
    }
  });
  Promise.all(drawn).then(() => document.documentElement.setAttribute("data-drawn", "yes"));

  for (const choice of document.querySelectorAll("input[name=colouring]")) {
    choice.addEventListener("change", async () => {
      const view = views.get("map");
      if (view) await view.signal("colouring", choice.value).runAsync();
    });
  }

  // On paper nothing can be unfolded.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const one of folded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });
})();
