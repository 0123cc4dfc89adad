// A whole system in Node.js: it owns its workers, retries with backoff, refuses keys, and gives an account of every change.
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const readline = require("node:readline");

const settings = JSON.parse(fs.readFileSync(process.env.SOAK_CONFIG)); // of the scenario, in real seconds
const tasks = []; // by id
const active = new Set(); // keys that are pending, in progress or done
let log = []; // changes that were not asked for yet
let stopped = false;

const now = () => (performance.timeOrigin + performance.now()) / 1000; // finer than Date.now()
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");
const tell = (type, task, more = {}) =>
  log.push({ type, at: now(), task: task.id, key: task.key, attempt: task.attempt, ...more });

// Bodies: all on one connection, told apart by their ids.

const running = new Map(); // by id, what to call with the message `finish`
const line = net.connect({ path: process.env.SOAK_ADDRESS.replace("unix:", "") });
const report = (message) => line.write(JSON.stringify(message) + "\n");
report({ op: "hello", version: 1, role: "body", token: process.env.SOAK_TOKEN, pid: process.pid, host: os.hostname() });
const runner = readline.createInterface({ input: line });
runner.on("line", (text) => {
  const heard = JSON.parse(text);
  if (heard.op === "finish") running.get(heard.id)(heard);
  if (heard.op === "refused") console.error(heard.why);
});
for (const each of [line, runner]) {
  each.on("error", () => (stopped = true)); // the run is over
  each.on("close", () => (stopped = true));
}

async function body(task, worker) {
  const finish = await new Promise((resolve) => {
    running.set(worker, resolve);
    report({ op: "started", id: worker, payload: task.payload, attempt: task.attempt, worker, at: now() });
  });
  running.delete(worker);
  report({ op: "ended", id: worker, at: now() });
  return finish;
}

// Workers: each takes the oldest task that is due.

async function work(worker) {
  while (!stopped) {
    const task = tasks.find((each) => each.state === "pending" && each.due <= now());
    if (!task) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      continue;
    }
    task.state = "in_progress";
    task.attempt += 1;
    tell("dispatched", task, { worker });
    const { end, error, tokens } = await body(task, worker);
    if (end === "transient" && task.attempt < settings.max_attempts) {
      const wait = settings.backoff_s[Math.min(task.attempt, settings.backoff_s.length) - 1];
      task.due = now() + wait;
      task.state = "pending";
      tell("retry", task, { worker, error, due: task.due });
    } else {
      task.state = end !== "ok" ? "failed" : tokens > settings.hard_tokens ? "blocked" : "done";
      if (task.state !== "done") active.delete(task.key);
      tell(task.state, task, { worker, error });
    }
  }
}

// Questions, on standard input.

const answers = {
  submit({ n, key, payload }) {
    if (active.has(key)) {
      log.push({ type: "skipped", at: now(), key });
      return { op: "submitted", n, answer: "refused" };
    }
    const task = { id: tasks.length, key, payload, state: "pending", attempt: 0, due: 0 };
    tasks.push(task);
    active.add(key);
    tell("enqueued", task);
    return { op: "submitted", n, answer: "accepted", task: task.id };
  },
  changes({ n }) {
    const changes = log.slice(0, 100); // a line is at most 65 536 bytes
    log = log.slice(100);
    return { op: "changes", n, changes, more: log.length > 0 };
  },
  census({ n }) {
    const counts = { pending: 0, in_progress: 0, done: 0, failed: 0, blocked: 0 };
    for (const task of tasks) counts[task.state] += 1;
    return { op: "census", n, counts };
  },
  processes({ n }) {
    return { op: "processes", n, processes: {} }; // its workers are not processes that could be killed
  },
  stop({ n }) {
    stopped = true;
    return { op: "stopped", n };
  },
};

readline.createInterface({ input: process.stdin }).on("line", (text) => {
  const asked = JSON.parse(text);
  say(answers[asked.op](asked));
});
for (let number = 0; number < settings.workers; number += 1) work(`w${number}`);
say({ op: "ready", version: 1, census: true, account: true });
