// The official OpenAI client for Node: only its address and its key are ours. Prints what it heard.
import OpenAI from "openai";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${baseURL}/v1`, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Please get_weather of a town." }];
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { town: { type: "string", enum: ["Oslo"] } } },
  },
};

const heard = {};
const whole = await client.chat.completions.create({ model, messages });
heard.whole = whole.choices[0].message.content;
heard.finish = whole.choices[0].finish_reason;

heard.streamed = "";
const stream = await client.chat.completions.create({
  model,
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  heard.streamed += chunk.choices[0]?.delta?.content ?? "";
  if (chunk.usage) heard.tokens = chunk.usage.completion_tokens;
}
heard.same_tokens = heard.tokens === whole.usage.completion_tokens;

const called = await client.chat.completions.create({ model, messages, tools: [weather] });
heard.call = called.choices[0].message.tool_calls[0].function;

const helper = client.chat.completions.stream({ model, messages, tools: [weather] });
heard.streamed_call = (await helper.finalMessage()).tool_calls[0].function;

const schema = { type: "object", properties: { town: { type: "string" } }, required: ["town"] };
const structured = await client.chat.completions.create({
  model,
  messages,
  response_format: { type: "json_schema", json_schema: { name: "answer", schema } },
});
heard.structured = typeof JSON.parse(structured.choices[0].message.content).town;

heard.models = (await client.models.list()).data.map((one) => one.id);
try {
  await client.chat.completions.create({ model: "no-such-model", messages });
} catch (error) {
  heard.missing = [error.constructor.name, error.status, error.code];
}
try {
  await new OpenAI({ baseURL: `${baseURL}/v1`, apiKey: "wrong", maxRetries: 0 }).models.list();
} catch (error) {
  heard.stranger = [error.constructor.name, error.status, error.code];
}
console.log(JSON.stringify(heard));
