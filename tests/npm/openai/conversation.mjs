// Holds a whole conversation with the official client: asks, answers a tool call, interrupts the answer, hears the next one to its end.
//   node conversation.mjs <base URL of a Voxbase> <token>
import net from 'node:net';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';

const [, , url, token] = process.argv;
const { hostname, port } = new URL(url);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token });
// The client insists on wss; the test's server has no certificate, so the socket below it is a plain one.
const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: { createConnection: () => net.connect({ host: hostname, port: Number(port) }) } }, client);
const heard = [];
const audio = Buffer.alloc(4800).toString('base64');
let interrupted = false;

function fail(error) {
  console.error(error);
  process.exit(1);
}

realtime.on('error', fail);
realtime.on('session.created', () => realtime.send({
  type: 'session.update',
  session: { type: 'realtime', tools: [{ type: 'function', name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }] },
}));
realtime.on('session.updated', () => {
  for (let i = 0; i < 10; i++) realtime.send({ type: 'input_audio_buffer.append', audio });
});
realtime.on('response.function_call_arguments.done', (event) => {
  const { city } = JSON.parse(event.arguments);
  realtime.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: event.call_id, output: JSON.stringify({ city, rain: true }) } });
  realtime.send({ type: 'response.create' });
});
realtime.on('response.output_audio.delta', (event) => {
  if (interrupted) return;
  interrupted = true;
  realtime.send({ type: 'input_audio_buffer.append', audio });
  realtime.send({ type: 'conversation.item.truncate', item_id: event.item_id, content_index: 0, audio_end_ms: 300 });
});
realtime.on('response.output_audio_transcript.done', (event) => heard.push(event.transcript));
realtime.on('rate_limits.updated', () => realtime.close({ code: 1000, reason: 'done' }));
realtime.socket.on('close', (code, reason) => {
  console.log(JSON.stringify({ heard, code, reason: reason.toString() }));
});
