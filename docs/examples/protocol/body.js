// The body of a task in Node.js: one attempt, as `soak body` does it. node body.js PAYLOAD
const net = require("node:net");
const os = require("node:os");
const readline = require("node:readline");

class TransientError extends Error {}
class PermanentError extends Error {}

// Does one attempt of a task; resolves, or rejects with the error that was planned. A worker that makes many keeps the connection.
function attempt(payload) {
  const [kind, ...place] = process.env.SOAK_ADDRESS.split(":");
  const where = kind === "unix" ? { path: place.join(":") } : { host: place[0], port: Number(place[1]) };
  return new Promise((resolve, reject) => {
    const line = net.connect(where);
    const say = (message) => line.write(JSON.stringify(message) + "\n");
    line.on("error", reject);
    line.on("close", () => reject(new Error("the runner has closed the connection")));
    const lines = readline.createInterface({ input: line });
    lines.on("error", reject);
    lines.on("line", (text) => {
      const heard = JSON.parse(text);
      if (heard.op === "refused") reject(new Error(heard.why));
      if (heard.op !== "finish") return;
      say({ op: "ended" });
      line.end();
      if (heard.end === "transient") reject(new TransientError(heard.error));
      else if (heard.end === "permanent") reject(new PermanentError(heard.error));
      else resolve();
    });
    say({
      op: "hello", version: 1, role: "body", token: process.env.SOAK_TOKEN,
      pid: process.pid, host: os.hostname(), worker: process.env.SOAK_WORKER || "",
    });
    say({ op: "started", payload });
  });
}

attempt(process.argv[2]).catch((error) => {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = error instanceof TransientError ? 75 : error instanceof PermanentError ? 65 : 70;
});
