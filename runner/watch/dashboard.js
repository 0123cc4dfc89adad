// Shows runs as they go on: a `run` message has all of one, a `step` what is new of it. All texts go in as text, never as markup.
const soakLive = (() => {
  const runs = new Map(), place = document.getElementById("runs"), link = document.getElementById("link");
  const PARTS = [["objectives", "Objectives over time"], ["load", "Load and work"], ["system", "The system"], ["processes", "Processes"]];
  const TONES = { PASS: "ok", FAIL: "bad", ABORTED: "bad", INCONCLUSIVE: "doubt", undecided: "doubt" }, SIGNS = { ok: "✓", bad: "✗", doubt: "?", now: "●" };
  const tone = word => TONES[word.split(" ")[0]] || "";
  const number = value => Number(value).toLocaleString("en", { maximumFractionDigits: 2 });
  const time = s => s ? soakCharts.duration(Math.round(s)) : "0s";
  const node = (name, text, css) => { const found = document.createElement(name); if (text !== undefined) found.textContent = text; if (css) found.className = css; return found; };
  // The token came in the fragment: it is kept for this tab, and taken out of the address.
  let token = "";
  try { token = location.hash.slice(1) || sessionStorage.getItem("soak-token") || ""; if (token) sessionStorage.setItem("soak-token", token); } catch { token = location.hash.slice(1); }
  if (location.hash) history.replaceState(null, "", location.pathname);

  const kept = name => { try { return sessionStorage.getItem(name) || ""; } catch { return ""; } };

  function table(caption, columns, rows, empty) {
    if (!rows.length) return node("p", empty, "soft");
    const made = node("table", undefined, "cards" + (columns.length > 3 ? " many" : "")), head = node("tr"), body = node("tbody");
    made.append(node("caption", caption, "unseen"));
    for (const [title, css] of columns) { const th = node("th", title, css === "n" ? "n" : ""); th.scope = "col"; head.append(th); }
    for (const row of rows) {
      const tr = node("tr");
      row.forEach((text, i) => {
        const [title, css] = columns[i], shown = css === "status" ? tone(text) : "", td = node("td", css === "status" && shown ? SIGNS[shown] + " " + text : text, [css || "", shown].join(" ").trim());
        if (title) td.dataset.label = title;
        if (!text) td.classList.add("none");
        tr.append(td);
      });
      body.append(tr);
    }
    const thead = node("thead"); thead.append(head); made.append(thead, body);
    return made;
  }
  function tile(what, value, css) { const li = node("li", undefined, "tile " + (css || "")); li.append(node("span", what, "what"), node("b", value)); return li; }

  function made(number) {
    const section = document.getElementById("run").content.cloneNode(true).firstElementChild, run = { number, section, figures: new Map(), columns: {}, made: 0 };
    section.querySelector(".ask").by.value = kept("soak-by");
    section.querySelector(".ask").addEventListener("submit", event => { event.preventDefault(); ask(run, "mark"); });
    section.querySelector(".stop").addEventListener("click", () => { if (run.section.querySelector(".ask").by.reportValidity() && confirm("Stop this run? It ends as interrupted, and its evidence is kept.")) ask(run, "stop"); });
    const after = [...runs.values()].find(each => each.number > number);
    place.insertBefore(section, after ? after.section : null);
    runs.set(number, run);
    document.body.classList.toggle("several", runs.size > 1);
    return run;
  }
  async function ask(run, what) {
    const form = run.section.querySelector(".ask"), said = form.querySelector("output");
    try {
      const answer = await fetch("/" + what, { method: "POST", headers: { "Content-Type": "application/json", "X-Soak-Token": token }, body: JSON.stringify({ run: run.number, text: what === "mark" ? form.text.value : "", by: form.by.value }) });
      said.textContent = (await answer.text()).trim();
      if (!answer.ok) return;
      try { sessionStorage.setItem("soak-by", form.by.value); } catch { /* It is asked for again. */ }
      form.text.value = "";
    } catch { said.textContent = "the dashboard does not answer"; }
  }

  // What an operator asked for has come back in the stream: the page says so.
  const marks = found => table("Marks", [["time", "n"], ["what"], ["by"]], found.map(each => [time(each.at_s), each.text, each.by]), "");
  function marked(run, before, found) {
    const last = found[found.length - 1];
    if (before && found.length > before.marks.length) run.section.querySelector(".ask output").textContent = `${last.stop ? "stop asked for" : "marked"} at ${time(last.at_s)}${last.by ? " by " + last.by : ""}`;
    run.section.querySelector(".marks").replaceChildren(...(last ? [marks(found.slice(-5).reverse())] : []));
  }
  function head(run, state) {
    const { section, about } = run, $ = css => section.querySelector(css), now = tone(state.provisional) || "now";
    marked(run, run.head, state.marks);
    run.head = state;
    $(".kicker").textContent = [about.name, state.target, state.speed !== 1 ? "speed " + state.speed : "", about.clock === "real" ? "" : "simulated clock"].filter(Boolean).join(" · ");
    const badge = $(".badge"); badge.className = "badge " + now; badge.textContent = SIGNS[now] + " " + state.provisional;
    $(".title").textContent = state.title;
    $("progress").max = state.duration_s || 1; $("progress").value = Math.min(state.t_s, state.duration_s);
    const eta = state.eta_s === null ? "" : `, about ${time(state.eta_s)} to go`, phase = state.phases.length ? `, phase ${state.phases.join(", ")}` : "";
    $(".time").textContent = state.ended ? `The run has ended (${state.ended}) at ${state.shown_t} of ${state.shown_duration}. The report: ${about.report}` : `${state.shown_t} of ${state.shown_duration}${phase}${eta}`;
    $(".reasons").replaceChildren(...state.reasons.map(reason => node("li", reason)));
    $(".ask").hidden = !token || state.ended !== "" || about.clock !== "real";
    $(".tiles").replaceChildren(
      ...Object.entries(state.tasks).map(([name, count]) => tile(name, number(count))),
      ...Object.entries(state.levels).map(([name, value]) => tile(name, number(value))),
      tile(state.units + " per minute", state.throughput_per_min === null ? "–" : number(state.throughput_per_min)),
      tile("scheduled faults", state.faults.join(", ") || "none active", state.faults.length ? "bad" : ""),
      tile("alerts", state.alerts.join(", ") || "none firing", state.alerts.length ? "doubt" : ""));
    $(".objectives").replaceChildren(table("Objectives", [["", "status"], ["objective"], [`last ${time(about.window_s)}`, "n"], ["so far", "n"], ["limit", "n"], ["margin", "n"]],
      state.objectives.map(each => [each.status, each.objective, each.recent || "–", each.value, each.target, each.margin]), "The scenario has no objectives."));
    $(".lists").replaceChildren(
      node("h3", "Alerts"), table("Alerts", [["alert"], ["severity"], ["fired", "n"], ["resolved", "n"]], state.history.map(each => [each.name, each.severity, time(each.fired_s), each.resolved_s === null ? "fires" : time(each.resolved_s)]), "No alert has fired."),
      node("h3", "Failed attempts"), table("Failed attempts by error class", [["error"], ["so far", "n"]], Object.entries(state.errors).map(([name, count]) => [name, number(count)]), "No attempt has failed."),
      ...(state.marks.length ? [node("h3", "Marks"), marks(state.marks)] : []));
  }

  function lanes(run) {
    const { about, head: state } = run, found = new Map();
    const add = (name, role, from, to) => { if (from <= state.t_s) { if (!found.has(name)) found.set(name, [name, role, []]); found.get(name)[2].push([from, Math.min(to, state.t_s), name, .8]); } };
    for (const each of about.bands) add(each.kind + " " + each.name, each.kind === "fault" ? "bad" : "now", each.start_s, each.end_s);
    for (const each of [...state.history].reverse()) add("alert " + each.name, "doubt", each.fired_s, each.resolved_s === null ? state.t_s : each.resolved_s);
    return [...found.values()].slice(0, 12);
  }
  function draw(run) {
    const { about, columns, head: state, number } = run, wanted = [], span = [0, Math.max(state.t_s, about.step_s)], group = "run" + number;
    const bands = about.bands.filter(each => each.start_s <= state.t_s && each.kind === "fault").map(each => [each.start_s, Math.min(each.end_s, state.t_s), each.name, each.kind]);
    const marks = state.marks.map(each => [each.at_s, each.text, each.stop ? "bad" : "now"]), rows = lanes(run);
    if (rows.length) wanted.push([{ name: "lanes", title: "Phases, faults and alerts", word: "Phases, faults and alerts", lines: [], lanes: rows, marks, span, group, part: "objectives" }, rows.map(row => row[0])]);
    for (const chart of run.charts) wanted.push([{ ...chart, t: columns.t_s, lines: chart.lines.map(line => ({ ...line, values: columns[line.column] })), bands, marks, span, group, part: chart.part || "objectives" }, chart]);
    const stay = new Set();
    for (const [chart, shape] of wanted) {
      const key = JSON.stringify(shape), known = run.figures.get(key);
      stay.add(key);
      if (known) { chart.name = known.name; soakCharts.update(known.name, chart); continue; }
      chart.name = `${number}-${run.made++}`;
      const figure = node("figure", undefined, "chart" + (chart.lanes ? " lanes" : ""));
      figure.append(node("figcaption", chart.title));
      run.figures.set(key, { name: chart.name, figure });
      part(run, chart.part).append(figure);
      soakCharts.show(figure, chart);
    }
    for (const [key, { figure }] of run.figures) if (!stay.has(key)) { figure.remove(); run.figures.delete(key); }
    for (const each of run.section.querySelectorAll("[data-part]")) each.hidden = !each.querySelector("figure");
  }
  function part(run, name) {
    let found = run.section.querySelector(`[data-part="${name}"]`);
    if (!found) {
      for (const [id, title] of PARTS) { const box = node("div"); box.dataset.part = id; box.append(node("h3", title)); run.section.querySelector(".drawings").append(box); }
      found = run.section.querySelector(`[data-part="${name}"]`);
    }
    return found;
  }

  const dirty = new Set();
  function later(run) { if (!dirty.size) requestAnimationFrame(() => { for (const each of dirty) draw(each); dirty.clear(); }); dirty.add(run); }
  function title() {
    const states = [...runs.values()].filter(run => run.head).map(run => run.head);
    if (states.length) document.title = states.map(state => `${state.provisional}: ${state.title}`).join(" | ");
  }
  let source = null, over = false;
  function connect() {
    if (source || over) return;
    source = new EventSource("/events");
    source.onopen = () => { link.textContent = "Live: figures come as they are made."; };
    source.onerror = () => { link.textContent = "The dashboard does not answer: trying again. What is shown is the last that was known."; };
    source.addEventListener("run", event => {
      const whole = JSON.parse(event.data), run = runs.get(whole.run) || made(whole.run);
      Object.assign(run, { about: whole.about, charts: whole.charts, columns: whole.columns });
      head(run, whole.head); later(run); title();
    });
    source.addEventListener("step", event => {
      const step = JSON.parse(event.data), run = runs.get(step.run);
      // A gap: all of it is asked for again.
      if (!run || step.start !== run.columns.t_s.length) { source.close(); source = null; connect(); return; }
      for (const name in step.columns) run.columns[name].push(...step.columns[name]);
      const drawn = step.rows > step.start || step.head.marks.length !== run.head.marks.length || step.head.ended !== run.head.ended || step.head.alerts.join() !== run.head.alerts.join();
      head(run, step.head); if (drawn) later(run); title();
    });
    source.addEventListener("failed", event => {
      const failed = JSON.parse(event.data), run = runs.get(failed.run) || made(failed.run), words = run.section.querySelector(".problem");
      words.textContent = failed.problem; words.hidden = false;
    });
    source.addEventListener("over", () => { over = true; source.close(); source = null; link.textContent = "The end: nothing more will come. This page stays as it is."; });
  }
  // A page that nobody sees needs no connection, of which a browser has six.
  document.addEventListener("visibilitychange", () => { if (document.hidden && source) { source.close(); source = null; } else if (!document.hidden) connect(); });
  connect();
  return { runs };
})();
