// The official Anthropic client for Node: only its address and its key are ours. Prints what it heard.
import Anthropic from "@anthropic-ai/sdk";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const asked = {
  model,
  max_tokens: 64,
  messages: [{ role: "user", content: "Please get_weather of a town." }],
};
const weather = {
  name: "get_weather",
  input_schema: { type: "object", properties: { town: { type: "string", enum: ["Oslo"] } } },
};

const heard = {};
const whole = await client.messages.create(asked);
heard.whole = whole.content[0].text;
heard.finish = whole.stop_reason;

heard.streamed = "";
for await (const event of await client.messages.create({ ...asked, stream: true })) {
  if (event.type === "content_block_delta") heard.streamed += event.delta.text ?? "";
  if (event.type === "message_delta") heard.tokens = event.usage.output_tokens;
}
heard.same_tokens = heard.tokens === whole.usage.output_tokens;

const called = await client.messages.create({ ...asked, tools: [weather] });
heard.call = called.content.find((block) => block.type === "tool_use").input;

const helper = client.messages.stream({ ...asked, tools: [weather] });
const final = await helper.finalMessage();
heard.streamed_call = final.content.find((block) => block.type === "tool_use").input;

try {
  await client.messages.create({ ...asked, model: "no-such-model" });
} catch (error) {
  heard.missing = [error.constructor.name, error.status, error.error.error.code];
}
try {
  await new Anthropic({ baseURL, apiKey: "wrong", maxRetries: 0 }).messages.create(asked);
} catch (error) {
  heard.stranger = [error.constructor.name, error.status, error.error.error.code];
}
console.log(JSON.stringify(heard));
