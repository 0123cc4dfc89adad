// Filters, the comparison of two runs, and what a trend says of the run under the pointer. Text is put in as text, never as HTML.
(() => {
  const STEP = matchMedia("(max-width: 640px)").matches ? 30 : 100;
  const make = (name, text, attributes) => { const node = document.createElement(name); if (text !== undefined) node.textContent = text; for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value); return node; };
  const body = document.querySelector("#run-table tbody"), rows = body ? [...body.rows] : [], runs = HISTORY.runs, picked = [];
  const TONES = { PASS: ["ok", "✓"], FAIL: ["bad", "✗"], ABORTED: ["bad", "✗"], INCONCLUSIVE: ["doubt", "?"] };
  const badge = state => { const [tone, sign] = TONES[state] || ["", ""]; return make("span", (sign ? sign + " " : "") + state, { class: "badge " + tone }); };

  // Filters.
  const filters = document.getElementById("filters"), more = document.getElementById("more");
  const search = make("input", undefined, { type: "search", placeholder: "Filter by run, scenario, target, commit, seed", "aria-label": "Filter runs" });
  const count = make("span", "", { class: "soft", "aria-live": "polite" });
  let most = STEP;
  function choice(name, values) {
    const select = make("select", undefined, { "aria-label": name });
    select.append(make("option", "any " + name, { value: "" }));
    for (const value of [...new Set(values)].filter(Boolean).sort()) select.append(make("option", value, { value }));
    select.addEventListener("change", () => { most = STEP; show(); });
    filters.append(select);
    return select;
  }
  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    runs.forEach((run, place) => {
      const fits = (!state.value || run.state === state.value) && (!scenario.value || run.facts.scenario === scenario.value) && (!target.value || run.facts.target === target.value) && words.every(word => texts[place].includes(word));
      if (fits) found++;
      rows[place].hidden = !fits || found > most;
    });
    count.textContent = found === runs.length ? "" : `${found.toLocaleString("en")} of ${runs.length.toLocaleString("en")} runs`;
    more.hidden = found <= most;
    more.firstChild.textContent = `Show all ${found.toLocaleString("en")} runs`;
  }
  const texts = runs.map(run => [run.name, ...Object.values(run.facts)].join(" ").toLowerCase());
  let state, scenario, target;
  if (rows.length) {
    filters.append(search);
    state = choice("verdict", runs.map(run => run.state));
    scenario = choice("scenario", runs.map(run => run.facts.scenario));
    target = choice("target", runs.map(run => run.facts.target));
    filters.append(count);
    search.addEventListener("input", () => { most = STEP; show(); });
    const all = make("button", "", { type: "button" });
    all.addEventListener("click", () => { most = Infinity; show(); });
    more.append(all);
    filters.hidden = false;
    const head = document.querySelector("#run-table thead tr");
    head.prepend(make("th", "compare", { scope: "col", class: "pick" }));
    rows.forEach((row, place) => {
      const cell = make("td", undefined, { class: "pick" + (runs[place].series < 0 ? " none" : ""), "data-label": "compare" });
      if (runs[place].series >= 0) cell.append(make("input", undefined, { type: "checkbox", "aria-label": "Compare " + runs[place].name, "data-run": place }));
      row.prepend(cell);
    });
    body.addEventListener("change", event => { if (event.target.dataset.run) pick(+event.target.dataset.run, event.target.checked); });
    show();
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }

  // Comparison.
  const panel = document.getElementById("comparison");
  function pick(place, on) {
    const at = picked.indexOf(place);
    if (on && at < 0) picked.push(place); else if (!on && at >= 0) picked.splice(at, 1);
    while (picked.length > 2) picked.shift();
    for (const row of body.querySelectorAll("input[data-run]")) { row.checked = picked.includes(+row.dataset.run); row.closest("tr").classList.toggle("picked", row.checked); }
    compare();
  }
  function table(titles, lines) {
    const node = make("table", undefined, { class: "cards many" }), head = make("tr"), inside = make("tbody");
    for (const title of titles) head.append(make("th", title, { scope: "col" }));
    for (const { cells, changed } of lines) {
      const row = make("tr", undefined, changed ? { class: "changed" } : {});
      cells.forEach((cell, place) => { const td = make("td", undefined, titles[place] ? { "data-label": titles[place] } : {}); td.append(cell); row.append(td); });
      inside.append(row);
    }
    const top = make("thead"); top.append(head); node.append(top, inside);
    return node;
  }
  function objectives(base, run) {
    const of = each => new Map((each.objectives || []).map(found => [found[0], found])), before = of(base), after = of(run);
    const told = found => {
      const span = make("span");
      if (!found) { span.textContent = "–"; return span; }
      const [, , status, value, margin, interval] = found, [tone, sign] = TONES[status] || ["", ""];
      span.append(make("strong", `${sign} ${status}`, { class: "t " + tone }), ` ${value || "–"}`);
      const more = [margin && `margin ${margin}`, interval && `interval ${interval}`].filter(Boolean).join("; ");
      if (more) span.append(make("small", more));
      return span;
    };
    const name = id => { const [b, a] = [before.get(id), after.get(id)].map(found => found && HISTORY.texts[found[1]]); return a && b && a !== b ? `${b}; then ${a}` : a || b; };
    return [...new Set([...before.keys(), ...after.keys()])].map(id => ({ cells: [name(id), told(before.get(id)), told(after.get(id))], changed: before.get(id)?.[2] !== after.get(id)?.[2] }));
  }
  function differences(base, run) {
    const told = each => ({ ...each.facts, ...(HISTORY.environments[each.environment] || {}) }), before = told(base), after = told(run);
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(name => before[name] !== after[name]).map(name => ({ cells: [name, before[name] || "–", after[name] || "–"] }));
  }
  function compare() {
    panel.replaceChildren();
    panel.hidden = !picked.length;
    if (!picked.length) return;
    const clear = make("button", "Clear", { type: "button" });
    clear.addEventListener("click", () => { for (const place of [...picked]) pick(place, false); });
    if (picked.length === 1) { panel.append(make("p", `${runs[picked[0]].name} is picked: pick another run to compare it with. `), clear); return; }
    // The older run is the base: rows are the newest first.
    const [base, run] = [...picked].sort((a, b) => b - a).map(place => runs[place]);
    panel.append(make("h3", "Comparison"));
    const heading = each => { const span = make("span"); span.append(badge(each.state), " ", each.href ? make("a", each.name, { href: each.href }) : each.name); return span; };
    panel.append(table(["", base.name, run.name], [{ cells: ["verdict", heading(base), heading(run)], changed: base.state !== run.state }, ...objectives(base, run)]));
    const differ = differences(base, run);
    panel.append(make("h3", "What differs"));
    panel.append(differ.length ? table(["", base.name, run.name], differ) : make("p", "Nothing that the evidence names.", { class: "soft" }));
    panel.append(make("p", "Is it more than noise? This compares every indicator, with intervals:"));
    const same = base.facts.scenario === run.facts.scenario && base.facts.seed === run.facts.seed;
    const parity = same && base.real !== run.real;
    const [simulated, real] = run.real ? [base, run] : [run, base];
    const line = `soak compare ${base.folder} ${run.folder}` + (parity ? `\nsoak compare ${simulated.folder} ${real.folder} --parity` : "");
    const copy = make("button", "Copy", { type: "button" });
    copy.addEventListener("click", () => { const done = () => { copy.textContent = "Copied"; }; if (navigator.clipboard) navigator.clipboard.writeText(line).then(done, () => select(code)); else select(code); });
    const code = make("code", line), pre = make("pre", undefined, { class: "command" });
    pre.append(code);
    panel.append(pre, copy, " ", clear);
    panel.scrollIntoView({ block: "nearest" });
  }
  const select = node => getSelection().selectAllChildren(node);

  // Trends: what each point is.
  for (const figure of document.querySelectorAll("figure.trend")) {
    const series = +figure.dataset.series, id = +figure.dataset.objective, still = figure.querySelector(".still");
    let points;
    const known = () => points ||= runs.map((run, place) => [run, place, (run.objectives || []).find(found => found[0] === id && found[3])]).filter(([run, , found]) => run.series === series && found).reverse();
    const box = make("p", "", { class: "readout", "aria-live": "polite" }), cursor = make("div", undefined, { class: "cursor" });
    cursor.hidden = true; still.append(cursor); still.after(box);
    still.tabIndex = 0;
    still.setAttribute("aria-label", "Arrow keys go from run to run, Enter picks a run for the comparison.");
    let at = -1;
    const left = HISTORY.left, across = 1 - HISTORY.left - HISTORY.right;
    function point(place) {
      at = Math.min(Math.max(place, 0), known().length - 1);
      const [run, , found] = known()[at];
      cursor.hidden = false;
      cursor.style.left = 100 * (left + across * (known().length > 1 ? at / (known().length - 1) : .5)) + "%";
      box.replaceChildren(badge(run.state), make("b", found[3]), make("span", found[4] && `margin ${found[4]}`), make("span", found[5] && `interval ${found[5]}`), make("span", run.facts.started), make("span", run.facts.commit && `commit ${run.facts.commit.slice(0, 8)}`), run.href ? make("a", run.name, { href: run.href }) : make("span", run.name));
    }
    const toggle = () => { if (at >= 0) { const place = known()[at][1]; pick(place, !picked.includes(place)); } };
    still.addEventListener("pointermove", event => { const area = still.getBoundingClientRect(); point(Math.round(((event.clientX - area.left) / area.width - left) / across * (known().length - 1))); });
    still.addEventListener("click", toggle);
    still.addEventListener("keydown", event => {
      const go = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: known().length - 1 }[event.key];
      if (go !== undefined) point(go); else if (event.key === "Enter") toggle(); else return;
      event.preventDefault();
    });
  }
  // Paper shows all trends. A link to a series opens it.
  addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details:not([open])")) { each.open = true; each.dataset.shut = ""; } });
  addEventListener("afterprint", () => { for (const each of document.querySelectorAll("details[data-shut]")) { each.open = false; delete each.dataset.shut; } });
  addEventListener("hashchange", () => { const found = document.getElementById(location.hash.slice(1)); if (found instanceof HTMLDetailsElement) { found.open = true; found.scrollIntoView(); } });
})();
