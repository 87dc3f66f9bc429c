// Forms marked data-filters: addresses carry only what was chosen.

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  if (!ctx.sourceElement.matches("[data-filters]")) return;
  const body = ctx.request.body;
  for (const [name, value] of [...body]) if (value === "") body.delete(name);
  ctx.request.action = ctx.request.action.replace(/\?.*/, "");
});
