// A model that does what the newest message of a person says: [[exec CMD]] asks for the tool, [[say TEXT]] says it,
// [[slow COUNT MS]] says so many words so far apart, [[hang]] never answers; several in order, one after each tool. What a
// tool gave is repeated when nothing is left to do. Speaks as an OpenAI-compatible server. Prints its port.
import http from "node:http";
import { setTimeout as later } from "node:timers/promises";

const textOf = (content) =>
  typeof content === "string" ? content : Array.isArray(content) ? content.map((part) => part?.text ?? "").join("") : "";

/** What is to be said next. */
function plan(messages) {
  // The gateway adds a message of its own after the person's.
  const isPersons = (message) =>
    message.role === "user" && !textOf(message.content).startsWith("<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>");
  const at = messages.findLastIndex(isPersons);
  const text = at < 0 ? "" : textOf(messages[at].content);
  const given = messages.slice(at + 1).filter((message) => message.role === "tool");
  const [, verb, argument] = [...text.matchAll(/\[\[(say|exec|slow|hang)\s*([\s\S]*?)\]\]/g)][given.length] ?? [];
  if (!verb) return { text: given.length ? `The tool said: ${textOf(given.at(-1).content).slice(0, 200)}` : "Hello." };
  if (verb === "hang") return { hangs: true };
  const [words, ms] = verb === "slow" ? argument.split(" ").map(Number) : [];
  if (words) return { text: Array.from({ length: words }, (_, at) => `word ${at} `).join(""), ms };
  return verb === "exec" ? { command: argument } : { text: argument };
}

let count = 0;
const server = http.createServer(async (request, answer) => {
  let raw = "";
  for await (const piece of request) raw += piece;
  if (!request.url.endsWith("/chat/completions")) {
    answer.setHeader("content-type", "application/json");
    return answer.end(JSON.stringify({ object: "list", data: [{ id: "stub-1", object: "model" }] }));
  }
  const body = JSON.parse(raw || "{}");
  const { text, command, ms, hangs } = plan(body.messages ?? []);
  if (hangs) return;
  count += 1;
  const call = { id: `call_${count}`, type: "function", function: { name: "exec", arguments: JSON.stringify({ command }) } };
  const base = { id: `stub-${count}`, created: 1, model: body.model };
  const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
  const reason = command ? "tool_calls" : "stop";
  if (!body.stream) {
    const message = command ? { role: "assistant", content: null, tool_calls: [call] } : { role: "assistant", content: text };
    answer.setHeader("content-type", "application/json");
    return answer.end(
      JSON.stringify({ ...base, object: "chat.completion", usage, choices: [{ index: 0, message, finish_reason: reason }] }),
    );
  }
  answer.setHeader("content-type", "text/event-stream");
  const write = (chunk) => answer.write(`data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", ...chunk })}\n\n`);
  const send = (delta, finish_reason = null) => write({ choices: [{ index: 0, delta, finish_reason }] });
  send({ role: "assistant", content: "" });
  if (command) send({ tool_calls: [{ index: 0, ...call }] });
  else {
    for (const word of text.match(/\S+\s*/g) ?? [""]) {
      send({ content: word });
      if (ms) await later(ms);
    }
  }
  send({}, reason);
  write({ choices: [], usage });
  answer.end("data: [DONE]\n\n");
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
