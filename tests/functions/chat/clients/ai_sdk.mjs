// What a client of the AI SDK does with @ai-sdk/openai-compatible: objects and tools.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [baseURL, apiKey, prompt] = process.argv.slice(2);
const provider = createOpenAICompatible({ name: "ours", baseURL, apiKey, supportsStructuredOutputs: true });
const model = provider("test-model");
const schema = z.object({ city: z.string(), degrees: z.number().int() });
const weather = tool({
  description: "Look up the weather.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});
const able = { model, prompt, tools: { weather }, stopWhen: stepCountIs(3) };
const streamed = streamText(able);

console.log(
  JSON.stringify({
    object: (await generateObject({ model, prompt, schema })).object,
    "tool result": (await generateText(able)).text,
    "streamed tool result": await streamed.text,
  }),
);
