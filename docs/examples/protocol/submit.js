// A process that submits, in Node.js: tasks are files in the directory SPOOL, named by their keys. node submit.js
const fs = require("node:fs/promises");
const path = require("node:path");
const readline = require("node:readline");

const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

// Puts a task into the directory, whole or not at all; a key that is there is refused.
async function submit({ n, key, payload }) {
  const fresh = `${process.env.SPOOL}.${process.pid}.${n}`;
  const answer = { op: "submitted", n, answer: "accepted" };
  try {
    await fs.writeFile(fresh, payload);
    await fs.link(fresh, path.join(process.env.SPOOL, key));
  } catch (error) {
    answer.answer = error.code === "EEXIST" ? "refused" : "unknown";
    answer.why = error.message;
  }
  await fs.rm(fresh, { force: true });
  say(answer);
}

async function census({ n }) {
  const waiting = await fs.readdir(process.env.SPOOL);
  say({ op: "census", n, counts: { pending: waiting.length } });
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const asked = JSON.parse(line);
  (asked.op === "submit" ? submit : census)(asked);
});
say({ op: "ready", version: 1, census: true });
