// permessage-deflate with several clients that send at the same moment: nothing is lost, nothing is mixed up.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { SignalRequest } from '@livekit/protocol';
import { WebSocket } from 'ws';
import { startServer, until } from './lib/server.mjs';

const CLIENTS = 6;
const MESSAGES = 150;

// As an offer is: long, repetitive, and different each time, so that inflating it takes several rounds.
function longText() {
  const lines = [];
  for (let i = 0; i < 500; i++)
    lines.push(`a=rtpmap:${i} VP8/90000 ${Math.random().toString(36)}`, `a=extmap:${i} http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`);
  return lines.join('\r\n');
}

test('large compressed messages of several clients arrive whole', async () => {
  const server = await startServer();
  const before = await server.metrics();
  let closed = 0;
  const sockets = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, i) => {
      const ws = new WebSocket(`${server.ws}/rtc?access_token=${await server.token('deflate', `c${i}`)}&protocol=17`, { perMessageDeflate: true });
      await once(ws, 'open');
      assert.match(ws.extensions, /permessage-deflate/);
      ws.on('close', () => closed++);
      for (let k = 0; k < MESSAGES; k++) {
        ws.send(new SignalRequest({ message: { case: 'mute', value: { sid: longText(), muted: true } } }).toBinary());
        await new Promise((r) => setImmediate(r));
      }
      return ws;
    }),
  );
  const count = async (name) => ((await server.metrics())[name] ?? 0) - before[name];
  await until('all messages', async () => (await count('sterna_signal_messages_in_total')) >= CLIENTS * MESSAGES);
  assert.equal(await count('sterna_signal_messages_in_total'), CLIENTS * MESSAGES);
  assert.equal(await count('sterna_signal_messages_bad_total'), 0);
  assert.equal(closed, 0);
  for (const ws of sockets) ws.terminate();
  await server.stop();
});
