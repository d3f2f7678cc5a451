// One session of the official client against a running server: node session.mjs BASE_URL KEY CASE
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const [baseURL, apiKey, name] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 20_000 });
const model = 'scripted';
const weather = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather of a city.',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  },
  strict: true,
};

const cases = {
  async create() {
    const response = await client.responses.create({ model, input: 'hello' });
    assert.equal(response.output_text, 'Echo: hello');
    assert.equal((await client.responses.retrieve(response.id)).output_text, 'Echo: hello');
  },

  async raw_stream() {
    const types = [];
    for await (const event of await client.responses.create({ model, input: 'hello', stream: true })) {
      types.push(event.type);
    }
    assert.equal(types[0], 'response.created');
    assert.equal(types.at(-1), 'response.completed');
  },

  async stream_helper() {
    const input = '[[think:hm]][[stall:0.5]][[say:one two]][[call:f {"a": 1}]]';
    const stream = client.responses.stream({ model, input });
    let text = '';
    stream.on('response.output_text.delta', (event) => (text += event.delta));
    const final = await stream.finalResponse();
    assert.equal(text, 'one two');
    assert.equal(final.output_text, 'one two');
    assert.deepEqual(final.output.map((item) => item.type), ['reasoning', 'message', 'function_call']);
  },

  async resume() {
    const input = '[[think:hm]][[delay:30]][[say:a b c d e f g h]]';
    const made = await client.responses.create({ model, input, background: true });
    assert.equal(made.status, 'queued');
    const stream = client.responses.stream({ response_id: made.id, starting_after: 5 });
    const numbers = [];
    for await (const event of stream) numbers.push(event.sequence_number);
    assert.equal(numbers[0], 6);
    assert.equal((await stream.finalResponse()).output_text, 'a b c d e f g h');
  },

  async refusal() {
    const final = await client.responses.stream({ model, input: '[[refuse:no]]' }).finalResponse();
    assert.equal(final.output[0].content[0].refusal, 'no');
  },

  async structured() {
    const schema = {
      type: 'object',
      properties: { age: { type: 'integer' } },
      required: ['age'],
      additionalProperties: false,
    };
    const text = { format: { type: 'json_schema', name: 'person', schema, strict: true } };
    const response = await client.responses.parse({ model, input: 'Someone.', text });
    assert.equal(typeof response.output_parsed.age, 'number');
  },

  async tool_loop() {
    const input = [{ role: 'user', content: 'What is the weather in "Oslo"?' }];
    const first = await client.responses.stream({ model, input, tools: [weather] }).finalResponse();
    const [call] = first.output;
    assert.deepEqual(call.parsed_arguments, { city: 'Oslo' });
    input.push(...first.output, { type: 'function_call_output', call_id: call.call_id, output: 'sunny' });
    const second = await client.responses.create({ model, input, tools: [weather] });
    assert.match(second.output_text, /sunny/);
  },

  async own_tools() {
    const tools = [{ type: 'shell', environment: { type: 'local' } }, { type: 'apply_patch' }, { type: 'computer' }];
    const input =
      '[[call:shell {"commands":["ls","pwd"]}]][[call:apply_patch {"type":"delete_file","path":"a","diff":""}]]' +
      '[[call:computer {"actions":[{"type":"wait"}]}]]';
    const stream = client.responses.stream({ model, input, tools });
    const commands = [];
    stream.on('response.shell_call_command.done', (event) => commands.push(event.command));
    const { output } = await stream.finalResponse();
    assert.deepEqual(output.map((item) => item.type), ['shell_call', 'apply_patch_call', 'computer_call']);
    assert.deepEqual(commands, ['ls', 'pwd']);
    assert.deepEqual(output[0].action.commands, commands);
  },

  async pages() {
    const input = Array.from({ length: 5 }, (_, n) => ({ role: 'user', content: `text ${n}` }));
    const response = await client.responses.create({ model, input });
    const found = [];
    for await (const item of client.responses.inputItems.list(response.id, { limit: 2, order: 'asc' })) {
      found.push(item.content[0].text);
    }
    assert.deepEqual(found, input.map((item) => item.content));
  },

  async errors() {
    const unknown = client.responses.create({ model: 'gone', input: 'hi' });
    await assert.rejects(unknown, (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.equal(error.code, 'model_not_found');
      assert.ok(error.requestID);
      return true;
    });
    await assert.rejects(client.responses.retrieve('resp_gone'), OpenAI.NotFoundError);
    await assert.rejects(client.responses.create({ model, input: '[[fail:server_error]]' }), OpenAI.InternalServerError);
    await assert.rejects(new OpenAI({ baseURL, apiKey: 'wrong', maxRetries: 0 }).models.list(), OpenAI.AuthenticationError);
  },

  async failed_stream() {
    const stream = await client.responses.create({ model, input: '[[say:half]][[fail:server_error]]', stream: true });
    const types = [];
    await assert.rejects(
      async () => {
        for await (const event of stream) types.push(event.type);
      },
      (error) => error instanceof OpenAI.APIError && error.code === 'server_error',
    );
    assert.ok(types.includes('response.output_text.delta'));
  },

  async conversations() {
    const items = Array.from({ length: 5 }, (_, n) => ({ role: 'user', content: `text ${n}` }));
    const { id } = await client.conversations.create({ items, metadata: { topic: 'tea' } });
    assert.deepEqual((await client.conversations.retrieve(id)).metadata, { topic: 'tea' });
    assert.deepEqual((await client.conversations.update(id, { metadata: { topic: 'milk' } })).metadata, { topic: 'milk' });
    const response = await client.responses.create({ model, input: 'hello', conversation: id });
    assert.equal(response.conversation.id, id);
    const found = [];
    for await (const item of client.conversations.items.list(id, { limit: 2, order: 'asc' })) found.push(item);
    assert.deepEqual(found.map((item) => item.content[0].text), [...items.map((item) => item.content), 'hello', 'Echo: hello']);
    const added = await client.conversations.items.create(id, { items: [{ role: 'user', content: 'more' }] });
    const item_id = added.data[0].id;
    assert.deepEqual(await client.conversations.items.retrieve(item_id, { conversation_id: id }), added.data[0]);
    assert.equal((await client.conversations.items.delete(item_id, { conversation_id: id })).id, id);
    await assert.rejects(client.conversations.items.retrieve(item_id, { conversation_id: id }), OpenAI.NotFoundError);
    assert.deepEqual(await client.conversations.delete(id), { id, object: 'conversation.deleted', deleted: true });
    await assert.rejects(client.conversations.retrieve(id), OpenAI.NotFoundError);
  },

  async delete_and_models() {
    const response = await client.responses.create({ model, input: 'hi' });
    await client.responses.delete(response.id);
    await assert.rejects(client.responses.retrieve(response.id), OpenAI.NotFoundError);
    assert.equal((await client.models.list()).data[0].id, model);
  },
};

if (name === 'list') console.log(Object.keys(cases).join('\n'));
else await cases[name]();
