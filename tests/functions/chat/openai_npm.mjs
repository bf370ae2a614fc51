// What a client of OpenAI's own JavaScript SDK does, told as one line of JSON.
import OpenAI from "openai";

const [baseURL, rich, poor, wrong] = process.argv.slice(2);
const model = "test-model";
const messages = [{ role: "user", content: "你好" }];
const client = (apiKey) => new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const create = (apiKey, more) => client(apiKey).chat.completions.create({ model, messages, ...more });

async function streamed() {
  const chunks = [];
  for await (const chunk of await create(rich, { stream: true, stream_options: { include_usage: true } }))
    chunks.push(chunk);
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  return { text, reason: chunks.at(-2).choices[0].finish_reason, usage: chunks.at(-1).usage };
}

async function refused(asking) {
  try {
    await asking;
  } catch (error) {
    return { class: error.constructor.name, status: error.status, code: error.code, type: error.type };
  }
}

async function tooMany() {
  const endless = { stream: true, messages: [{ role: "user", content: "scenario: endless" }] };
  const streams = [await create(rich, endless), await create(rich, endless), await create(rich, endless)];
  const error = await refused(create(rich, {}));
  for (const stream of streams) stream.controller.abort();
  return error;
}

const whole = await create(rich, {});
console.log(
  JSON.stringify({
    whole: { text: whole.choices[0].message.content, usage: whole.usage },
    streamed: await streamed(),
    models: (await client(rich).models.list()).data.map((one) => one.id),
    wrongKey: await refused(create(wrong, {})),
    noBalance: await refused(create(poor, {})),
    noSuchModel: await refused(create(rich, { model: "gpt-9" })),
    badRequest: await refused(create(rich, { messages: [] })),
    tooMany: await tooMany(),
  }),
);
