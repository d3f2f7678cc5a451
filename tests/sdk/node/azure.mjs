// One session of the official clients in Azure's flavour against a running server: node azure.mjs ORIGIN KEY CASE
import assert from 'node:assert/strict';
import OpenAI, { AzureOpenAI } from 'openai';

const [origin, apiKey, name] = process.argv.slice(2);
const common = { apiKey, maxRetries: 0, timeout: 20_000 };
const clients = {
  dated: () => new AzureOpenAI({ ...common, endpoint: origin, apiVersion: '2025-04-01-preview' }),
  deployment: () =>
    new AzureOpenAI({ ...common, endpoint: origin, apiVersion: '2025-04-01-preview', deployment: 'scripted' }),
  v1: () => new OpenAI({ ...common, baseURL: `${origin}/openai/v1/` }),
};
const model = 'scripted';

async function session(client) {
  const made = await client.responses.create({ model, input: 'hello' });
  assert.equal(made.output_text, 'Echo: hello');
  assert.deepEqual(made.content_filters, []);
  assert.equal((await client.responses.retrieve(made.id)).output_text, 'Echo: hello');
  assert.equal((await client.responses.inputItems.list(made.id)).data.length, 1);

  const types = [];
  for await (const event of await client.responses.create({ model, input: 'hello', stream: true })) types.push(event.type);
  assert.deepEqual([types[0], types.at(-1)], ['response.created', 'response.completed']);
  const final = await client.responses.stream({ model, input: '[[say:one two]]' }).finalResponse();
  assert.equal(final.output_text, 'one two');

  await client.responses.delete(made.id);
  await assert.rejects(client.responses.retrieve(made.id), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.requestID, error.headers.get('apim-request-id'));
    return true;
  });

  let polled = await client.responses.create({ model, input: 'hello', background: true });
  const deadline = Date.now() + 20_000;
  while (['queued', 'in_progress'].includes(polled.status)) {
    assert.ok(Date.now() < deadline);
    polled = await client.responses.retrieve(polled.id);
  }
  assert.equal(polled.output_text, 'Echo: hello');
  const long = await client.responses.create({ model, input: '[[stall:30]]', background: true });
  assert.equal((await client.responses.cancel(long.id)).status, 'cancelled');

  const { id } = await client.conversations.create({ items: [{ role: 'user', content: 'one' }] });
  await client.responses.create({ model, input: 'two', conversation: id });
  assert.equal((await client.conversations.items.list(id)).data.length, 3);
  await client.conversations.delete(id);
  assert.equal((await client.models.list()).data[0].id, model);
}

if (name === 'list') console.log(Object.keys(clients).join('\n'));
else await session(clients[name]());
