// Draws the charts of a page with uPlot: linked cursors, zoom by dragging, keys, limits, bands, lanes, light and dark.
// `soakCharts.show(figure, chart)` draws one; `.update(name, chart)` gives it new data. Values are formatted as reports do.
const soakCharts = (() => {
  const drawn = new Map(), groups = new Map();
  const css = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const TYPES = { u1: Uint8Array, u2: Uint16Array, f4: Float32Array, f8: Float64Array };
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 345600, 604800, 1209600, 2592000];

  function numbers(given) {
    if (Array.isArray(given)) return given;
    if (given.step !== undefined) {
      const out = new Float64Array(given.n);
      for (let i = 0; i < given.n; i++) out[i] = given.start + i * given.step;
      if (given.last !== undefined) out[given.n - 1] = given.last;
      return out;
    }
    const text = atob(given.b), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new TYPES[given.d](bytes.buffer);
  }
  // uPlot takes null for what is not known.
  const values = given => { const found = numbers(given), out = new Array(found.length); for (let i = 0; i < found.length; i++) { const v = found[i]; out[i] = v === v && v !== null ? v : null; } return out; };

  const digits = (v, n) => String(+v.toPrecision(n));
  function duration(s) {
    if (s < 0) return "-" + duration(-s);
    if (s === 0) return "0s";
    if (s < 0.9995) return digits(s * 1000, 3) + "ms";
    if (s < 600) return digits(s, 4) + "s";
    let rest = Math.round(s), out = [];
    for (const [unit, size] of (s >= 345600 ? [["d", 86400]] : []).concat([["h", 3600], ["m", 60], ["s", 1]])) {
      const count = Math.floor(rest / size); rest -= count * size;
      if (count) out.push(count + unit);
    }
    return out.slice(0, 2).join("");
  }
  function bytes(v) {
    const size = Math.abs(v);
    for (const [unit, scale] of [["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) if (size >= scale) return digits(v / scale, 4) + unit;
    return digits(v, 4) + "B";
  }
  function show(v, form) {
    if (v === null || v === undefined) return "–";
    if (form === "s") return duration(+v.toPrecision(4));
    if (form === "%") { const n = 100 * v; return (v < 1 && n > 99.995 ? n.toFixed(5).replace(/0+$/, "") : String(+n.toFixed(2))) + "%"; }
    if (form === "B") return bytes(v);
    return Math.abs(v) >= 1000 ? Math.round(v).toLocaleString("en") : digits(v, 4);
  }
  // As ticks.py: durations of an axis in one unit, round numbers, moments.
  const CLOCKS = [["s", 1, 120], ["m", 60, 7200], ["h", 3600, 345600], ["d", 86400, Infinity]];
  function parts(s, place, bare) {
    const [unit, size] = CLOCKS[place], [smaller, small] = CLOCKS[place - 1], whole = Math.round(s / small), ratio = size / small;
    const count = Math.floor(whole / ratio), rest = whole % ratio;
    return (count || !bare ? count + unit : "") + (rest ? rest + smaller : "");
  }
  const sizeOf = s => CLOCKS.findIndex(each => s < each[2]);
  function clock(s) { return s < 0 ? "-" + clock(-s) : s < 120 ? s ? duration(s) : "0" : parts(s, sizeOf(s)); }
  // A value in the unit of its axis, whose largest tick is given; on a logarithmic one in the unit of its own size.
  function timed(s, largest, log) {
    const place = log ? (s >= 345600 ? 3 : s >= 3600 ? 2 : s >= 60 ? 1 : 0) : sizeOf(Math.max(largest, s));
    return !place || s < 60 ? (s ? duration(s) : "0") : parts(s, place, s < CLOCKS[place][1]);
  }
  function moments(s, largest) {
    let out = "", rest = Math.round(s);
    for (const [unit, size] of CLOCKS.slice(0, sizeOf(largest) + 1).reverse()) { const count = Math.floor(rest / size); rest -= count * size; if (count) out += count + unit; }
    return out || "0";
  }
  function whole(s) {
    for (const [unit, size] of CLOCKS.slice(0, 3).reverse()) if (s >= size && Math.abs(s % size) < 1e-9) {
      const days = unit === "h" && s >= 345600;
      return digits(s / (days ? 86400 : size), 4) + (days ? "d" : unit);
    }
    return duration(s);
  }
  function labels(ticks, form, log) {
    if (form !== "s") return ticks.map(v => show(v, form));
    if (log) return ticks.map(whole);
    const largest = Math.max(0, ...ticks.map(Math.abs));
    if (largest < 1) return ticks.map(v => v ? digits(1000 * v, 4) + "ms" : "0");
    const place = sizeOf(largest), one = s => !s ? "0" : s < 0 ? "-" + one(-s) : place ? parts(s, place, true) : digits(s, 4) + "s";
    return ticks.map(one);
  }
  const multiples = (low, high, step) => { const out = []; for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i++) out.push(i * step); return out; };
  const times = (low, high, most) => multiples(low, high, STEPS.find(step => (high - low) / step <= most) || STEPS[STEPS.length - 1]);
  function linear(low, high, form, most = 5) {
    const span = high - low, about = span / most;
    if (!(span > 0) || !isFinite(span)) return [low];
    const fits = step => Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1 <= most;
    let step = form === "s" && about >= 1 ? STEPS.find(each => each >= about / 2 && fits(each)) : undefined;
    for (let power = Math.floor(Math.log10(about)); step === undefined; power++) step = [1, 2, 5].map(each => each * 10 ** power).find(each => each >= about / 2 && fits(each));
    return multiples(low, high, step);
  }

  function limitsOf(chart, data) {
    let low = Infinity, high = -Infinity;
    const see = v => { if (v !== null && (v > 0 || !chart.log)) { if (v < low) low = v; if (v > high) high = v; } };
    for (const line of data.slice(1)) for (const v of line) see(v);
    for (const limit of chart.limits || []) see(limit.value);
    if (low > high) [low, high] = chart.log ? [1, 10] : [0, 1];
    if (chart.low !== undefined) low = chart.low;
    if (chart.high !== undefined) high = chart.high;
    if (chart.log) return high / low > 1.0001 ? [low / 1.25, high * 1.25] : [low / 2, high * 2];
    if (!(high > low)) { const pad = Math.abs(high) * 0.1 || 1; return chart.low !== undefined ? [low, low + pad] : [low - pad, chart.high !== undefined ? high : high + pad]; }
    const air = 0.06 * (high - low);
    return [chart.low !== undefined ? low : low - air, chart.high !== undefined ? high : high + air];
  }

  const MOST_FULL_BURSTS = 12;
  function bands(u, chart) {
    const { ctx, bbox } = u, top = bbox.top, x = t => u.valToPos(t, "x", true), left = bbox.left, right = left + bbox.width;
    const colours = { fault: ["bad", .12], burst: ["burst", .3], phase: ["now", .06], alert: ["doubt", .16], gap: ["soft", .2] };
    ctx.save();
    const strip = (chart.bands || []).filter(band => band[3] === "burst").length > MOST_FULL_BURSTS;
    for (const [start, end, , kind] of chart.bands || []) {
      const from = Math.max(x(start), left), to = Math.min(Math.max(x(end), x(start) + 1), right), along = strip && kind === "burst";
      if (to < left || from > right) continue;
      ctx.globalAlpha = along ? 1 : colours[kind][1]; ctx.fillStyle = css(colours[kind][0]);
      ctx.fillRect(from, top, to - from, along ? 5 * (devicePixelRatio || 1) : bbox.height);
    }
    const lanes = chart.lanes || [], height = bbox.height / Math.max(lanes.length, 1);
    lanes.forEach(([, role, spans], place) => {
      ctx.fillStyle = css(role);
      for (const [start, end, , strength] of spans) {
        const from = Math.max(x(start), left), to = Math.min(Math.max(x(end), x(start) + 1), right);
        if (to < left || from > right) continue;
        ctx.globalAlpha = strength;
        ctx.fillRect(from, top + place * height + height * .18, to - from, height * .64);
      }
    });
    ctx.restore();
  }

  function levels(u, chart) {
    const { ctx, bbox } = u, ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.font = 11 * ratio + "px system-ui, sans-serif"; ctx.lineWidth = 1.4 * ratio;
    const written = [], words = [];
    for (const limit of chart.limits || []) {
      const y = u.valToPos(limit.value, "y", true);
      if (y < bbox.top - 1 || y > bbox.top + bbox.height + 1) continue;
      ctx.strokeStyle = css(limit.role);
      ctx.setLineDash([5 * ratio, 3 * ratio]); ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
      for (const middle of [y - 9 * ratio, y + 9 * ratio]) {
        if (middle < bbox.top + 5 * ratio || middle > bbox.top + bbox.height - 5 * ratio || written.some(at => Math.abs(at - middle) < 14 * ratio)) continue;
        written.push(middle); words.push([limit, middle]);
        break;
      }
    }
    // A halo in the colour of the paper keeps lines out of the words.
    ctx.setLineDash([]); ctx.textAlign = "right"; ctx.textBaseline = "middle"; ctx.lineJoin = "round";
    for (const [limit, middle] of words) {
      const place = [limit.words, bbox.left + bbox.width - 4 * ratio, middle, bbox.width - 10 * ratio];
      ctx.strokeStyle = css("paper"); ctx.lineWidth = 4 * ratio; ctx.strokeText(...place);
      ctx.fillStyle = css(limit.role); ctx.fillText(...place);
    }
    ctx.lineWidth = 1.4 * ratio;
    const named = [];
    for (const [at, words, role] of chart.marks || []) {
      const x = u.valToPos(at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = ctx.fillStyle = css(role);
      ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
      if (!chart.small) {
        // Words of marks that are near go below each other; what finds no place is in the list of marks.
        const late = x > bbox.left + bbox.width * .7, wide = ctx.measureText(words).width + 8 * ratio, from = late ? x - wide : x, to = from + wide;
        const row = [0, 1, 2].find(each => !named.some(other => other.row === each && from < other.to && other.from < to));
        if (row === undefined) continue;
        named.push({ row, from, to });
        ctx.textAlign = late ? "right" : "left"; ctx.textBaseline = "top";
        ctx.fillText(words, x + (late ? -4 : 4) * ratio, bbox.top + (2 + 13 * row) * ratio);
      }
    }
    ctx.restore();
  }

  function options(figure, chart, width) {
    const lanes = chart.lanes || [], small = matchMedia("(max-width: 640px)").matches || chart.small, axis = { stroke: () => css("soft"), font: "11px system-ui, sans-serif", ticks: { stroke: () => css("line"), size: 4 } };
    // As high as the picture in whose place it comes.
    const still = figure.querySelector(".still"), height = (still && still.offsetHeight) || (lanes.length ? 30 + 20 * lanes.length : chart.small ? 150 : 210);
    const named = words => words.map((word, i) => small && !chart.small && words.length > 4 && i % 2 ? "" : word);
    const laneNames = (u, splits) => splits.map(v => { const lane = lanes[lanes.length - 1 - Math.round(v - .5)]; return lane ? (lane[0].length > 15 ? lane[0].slice(0, 14) + "…" : lane[0]) : ""; });
    return {
      width, height, legend: { show: false }, padding: [lanes.length ? 4 : 8, 12, 0, 0],
      cursor: { drag: { x: true, y: false, setScale: false }, y: false, points: { size: 6 } },
      focus: { alpha: 1 },
      scales: {
        x: { time: false, range: () => view(chart.group) || chart.span },
        y: lanes.length ? { range: [0, lanes.length] } : { distr: chart.log ? 3 : 1, range: u => figure.soakRange },
      },
      axes: [
        { ...axis, grid: { show: false }, splits: u => times(u.scales.x.min, u.scales.x.max, chart.small ? 5 : 12), values: (u, splits) => named(labels(splits, "s")), size: 26 },
        lanes.length
          ? { ...axis, grid: { show: false }, ticks: { show: false }, splits: () => lanes.map((_, i) => i + .5), values: laneNames, size: small ? 96 : 112 }
          : { ...axis, grid: { stroke: () => css("line"), width: 1 }, size: small ? 58 : 112,
              splits: u => chart.log ? logSplits(u.scales.y.min, u.scales.y.max, chart.form) : linear(u.scales.y.min, u.scales.y.max, chart.form),
              filter: (u, splits) => splits, values: (u, splits) => labels(splits, chart.form, chart.log) },
      ],
      series: [{}].concat(chart.lines.flatMap((line, i) => [{
        label: line.name, stroke: () => css(line.role), width: 1.5, dash: line.dash, spanGaps: false,
        paths: chart.stepped ? uPlot.paths.stepped({ align: -1 }) : undefined, points: { show: false },
        fill: line.filled ? () => css(line.role) + "22" : undefined,
      }]).concat(around(chart).map(() => ({ show: true, stroke: "transparent", width: 0, points: { show: false } })))),
      bands: chart.lines.map((line, i) => [line, i]).filter(([line]) => line.low).map(([line], i) => ({ series: [chart.lines.length + 2 + 2 * i, chart.lines.length + 1 + 2 * i], fill: () => css(line.role) + "33" })),
      hooks: {
        drawClear: [u => bands(u, chart)],
        draw: [u => levels(u, chart)],
        setCursor: [u => { readout(figure, chart, u); follow(chart, u); }],
        setSelect: [u => { if (u.select.width > 4) zoom(chart.group, u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")); u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false); }],
        ready: [u => { u.over.addEventListener("dblclick", () => zoom(chart.group, null)); keys(figure, chart, u); }],
      },
    };
  }
  const CLOCK = [10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800];
  function logSplits(low, high, form) {
    // Above ten seconds, round as clocks are.
    if (form === "s" && high > 60) {
      const out = [];
      for (let p = Math.floor(Math.log10(low)); p <= 0; p++) { const v = 10 ** p; if (v >= low * .999 && v <= high) out.push(v); }
      const all = out.concat(CLOCK.filter(v => v >= low * .999 && v <= high * 1.001)), step = Math.ceil(all.length / 6);
      return all.filter((_, i) => i % step === 0);
    }
    for (const rounds of [[1, 2, 5], [1, 3], [1]]) {
      const out = [];
      for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++) for (const r of rounds) { const v = +(r * 10 ** p).toPrecision(3); if (v >= low * .999 && v <= high * 1.001) out.push(v); }
      if (out.length <= 6 || rounds.length === 1) return out;
    }
  }
  const around = chart => chart.lines.filter(line => line.low).flatMap(line => [line.low, line.high]);
  const view = group => (groups.get(group) || {}).view;
  const members = group => [...drawn.values()].filter(each => each.chart.group === group);
  function zoom(group, low, high) {
    groups.set(group, { view: low === null ? null : [low, high] });
    for (const { plot, chart, figure } of members(group)) { const [from, to] = view(group) || chart.span; plot.setScale("x", { min: from, max: to }); figure.querySelector(".whole").hidden = low === null; }
  }

  function node(name, kind, text) { const made = document.createElement(name); made.className = kind; if (text) made.textContent = text; return made; }
  function stroke(line) {
    const box = node("i", "");
    box.innerHTML = '<svg width="22" height="10" aria-hidden="true"><path d="M0 5H22" stroke-width="2.4" fill="none"/></svg>';
    const path = box.querySelector("path");
    path.setAttribute("stroke", `var(--${line.role})`); path.setAttribute("stroke-dasharray", (line.dash || []).join(" "));
    return box.firstChild;
  }
  // Between title and plot: the lines, each a button that hides it, with its value under the cursor; beside the title, the moment.
  function prepare(figure, chart, place) {
    const title = figure.querySelector("figcaption"), whole = node("button", "whole", "Show all");
    let box = figure.querySelector(".readout");
    if (!box) { box = node("div", "readout"); place.before(box); }
    whole.type = "button"; whole.hidden = !view(chart.group); whole.addEventListener("click", () => zoom(chart.group, null));
    if (!figure.querySelector(".moment")) figure.append(node("span", "moment"), whole);
    if (chart.log && title && !title.textContent.includes("log scale")) title.append(" ", node("small", "", "log scale"));
    box.hidden = !!(chart.lanes && chart.lanes.length);
    for (const each of box.querySelectorAll("span")) each.remove();
    box.prepend(...chart.lines.map((line, i) => {
      const button = node("button", "line");
      button.type = "button"; button.title = "Show or hide this line"; button.setAttribute("aria-pressed", "true");
      button.append(stroke(line), line.name, node("b", ""));
      button.addEventListener("click", () => {
        const { plot } = drawn.get(chart.name), on = button.getAttribute("aria-pressed") !== "true", edges = chart.lines.slice(0, i).filter(each => each.low).length;
        button.setAttribute("aria-pressed", on);
        plot.setSeries(i + 1, { show: on });
        if (line.low) for (const edge of [1, 2]) plot.setSeries(chart.lines.length + 2 * edges + edge, { show: on });
      });
      return button;
    }));
  }
  // The cursors of a group stand at the same moment, each with the values of its own chart.
  let leading = false;
  function follow(chart, u) {
    if (leading) return;
    leading = true;
    const away = !(u.cursor.left >= 0), at = away ? 0 : u.posToVal(u.cursor.left, "x");
    for (const { plot } of members(chart.group)) if (plot !== u) plot.setCursor(away ? { left: -10, top: -10 } : { left: plot.valToPos(at, "x"), top: plot.over.clientHeight / 2 }, true, false);
    leading = false;
  }
  function readout(figure, chart, u) {
    const box = figure.querySelector(".readout"), moment = figure.querySelector(".moment"), at = u.cursor.idx;
    if (!box || !moment) return;
    const hovering = at !== null && at !== undefined && u.cursor.left >= 0, t = hovering ? u.posToVal(u.cursor.left, "x") : null, lanes = chart.lanes || [];
    const during = [...new Set((lanes.length ? lanes.flatMap(([name, , spans]) => spans.map(([from, to]) => [from, to, name])) : chart.bands || []).filter(([from, to]) => t !== null && from <= t && t <= to).map(band => band[2]))];
    moment.textContent = hovering ? "at " + moments(lanes.length ? t : u.data[0][at], chart.span[1]) + (during.length ? ", during " + during.join(", ") : "") : "";
    if (!lanes.length) box.querySelectorAll("b").forEach((b, i) => { const v = hovering ? u.data[i + 1][at] : null; b.textContent = !hovering ? "" : chart.form === "s" && v !== null ? timed(v, figure.soakRange[1], chart.log) : show(v, chart.form); });
  }

  function keys(figure, chart, u) {
    u.over.tabIndex = 0; u.over.setAttribute("role", "application");
    u.over.setAttribute("aria-label", chart.word + ". Arrow keys move the cursor, plus and minus zoom, Escape shows all.");
    u.over.addEventListener("keydown", event => {
      const times = u.data[0]; if (!times.length) return;
      const from = u.valToIdx(u.scales.x.min), to = u.valToIdx(u.scales.x.max), at = u.cursor.idx ?? from, far = Math.max(1, Math.round((to - from) / (event.shiftKey ? 10 : 100)));
      const go = { ArrowRight: at + far, ArrowLeft: at - far, Home: from, End: to }[event.key];
      if (go !== undefined) u.setCursor({ left: u.valToPos(times[Math.min(Math.max(go, from), to)], "x"), top: u.over.clientHeight / 2 }, true, true);
      else if (event.key === "+" || event.key === "-") {
        const span = (u.scales.x.max - u.scales.x.min) * (event.key === "+" ? .25 : 1), middle = times[at];
        const [low, high] = chart.span;
        if (middle - span <= low && middle + span >= high) zoom(chart.group, null); else zoom(chart.group, Math.max(low, middle - span), Math.min(high, middle + span));
      } else if (event.key === "Escape") zoom(chart.group, null);
      else return;
      event.preventDefault();
    });
  }

  function dataOf(chart) {
    if (chart.lanes && chart.lanes.length) { const n = 400, [a, b] = chart.span; return [Float64Array.from({ length: n + 1 }, (_, i) => a + (b - a) * i / n)]; }
    return [numbers(chart.t), ...chart.lines.map(line => values(line.values)), ...around(chart).map(values)];
  }
  function show_(figure, chart) {
    chart.group ??= "run";
    const data = dataOf(chart), place = document.createElement("div"), still = figure.querySelector(".still");
    figure.soakRange = chart.scale || limitsOf(chart, data);
    if (still) still.after(place); else figure.append(place);
    prepare(figure, chart, place);
    const plot = new uPlot(options(figure, chart, figure.clientWidth || 600), data, place);
    figure.classList.add("drawn");
    drawn.set(chart.name, { figure, chart, plot });
    readout(figure, chart, plot);
    sizes.observe(figure);
  }
  function update(name, chart) {
    const found = drawn.get(name);
    if (!found) return;
    // The plot's options hold the chart: what may change of it is put into the same object.
    Object.assign(found.chart, chart);
    const data = dataOf(found.chart);
    found.figure.soakRange = found.chart.scale || limitsOf(found.chart, data);
    found.plot.setData(data, false);
    const [low, high] = view(found.chart.group) || found.chart.span;
    found.plot.batch(() => { found.plot.setScale("x", { min: low, max: high }); found.plot.setScale("y", { min: null, max: null }); });
    if (found.plot.cursor.idx === null || found.plot.cursor.idx === undefined) readout(found.figure, found.chart, found.plot);
  }
  const sizes = new ResizeObserver(entries => { for (const { target } of entries) { const found = [...drawn.values()].find(each => each.figure === target); if (found && Math.abs(found.plot.width - target.clientWidth) > 1 && target.clientWidth > 40) found.plot.setSize({ width: target.clientWidth, height: found.plot.height }); } });
  const redraw = () => { for (const { plot, figure, chart } of drawn.values()) { plot.redraw(false, true); readout(figure, chart, plot); } };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details:not([open]):not(.long)")) { each.open = true; each.dataset.shut = ""; } });
  addEventListener("afterprint", () => { for (const each of document.querySelectorAll("details[data-shut]")) { each.open = false; delete each.dataset.shut; } });
  function hint(first) {
    first.before(node("p", "hint", "Drag across a chart to zoom, double-click to see all; arrow keys move the cursor; a name below a title shows or hides its line."));
  }
  // A chart is drawn when it comes near the screen: until then its picture is there.
  const waiting = new Map();
  const near = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) { near.unobserve(target); show_(target, waiting.get(target)); waiting.delete(target); }
  }, { rootMargin: "600px" });
  function all(charts) {
    const seen = new Set();
    for (const chart of charts) {
      // The default is not written.
      chart.group ??= "run";
      const figure = document.getElementById("chart-" + chart.name);
      if (!figure) continue;
      if (!seen.has(chart.group)) { seen.add(chart.group); hint(figure.closest(".charts") || figure); }
      waiting.set(figure, chart);
      near.observe(figure);
    }
  }
  return { all, show: show_, update, zoom, format: show, duration, clock, labels, linear, logarithmic: logSplits, times };
})();
if (typeof CHARTS !== "undefined") soakCharts.all(CHARTS);
