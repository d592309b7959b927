// One port for both: HTTPS and wss on the TLS port of TURN (turn.http_share).
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { get } from 'node:https';
import { connect } from 'node:tls';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { SignalResponse } from '@livekit/protocol';
import { startServer, until } from './lib/server.mjs';
import { V0 } from './lib/signal.mjs';
import { freePorts, makeCertificates } from './lib/turnserver.mjs';
import { METHOD, encode, isStun } from './lib/stun.mjs';

describe('HTTPS on the TLS port of TURN', () => {
  let dir, server, port, ca;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sterna-https-'));
    const files = await makeCertificates(dir);
    ca = await readFile(files.ca);
    port = await freePorts(22);
    const turn = {
      enabled: true, domain: 'localhost', udp_port: port + 1, tls_port: port, http_share: true,
      cert_file: files.cert, key_file: files.key, relay_range_start: port + 2, relay_range_end: port + 21,
    };
    server = await startServer({ config: { turn } });
  });
  after(async () => {
    await server?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const fetchSecure = (path, options = {}) =>
    new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, path, ca, ...options }, (res) => {
        let text = '';
        res.on('data', (d) => (text += d));
        res.on('end', () => resolve({ status: res.statusCode, text }));
      }).on('error', reject);
    });

  test('requests are answered, one after the other and at once', async () => {
    for (let i = 0; i < 3; i++) assert.equal((await fetchSecure('/healthz')).status, 200);
    const all = await Promise.all(Array.from({ length: 30 }, () => fetchSecure('/readyz')));
    assert.deepEqual(all.map((a) => a.status), Array(30).fill(200));
  });

  test('a large answer comes whole', async () => {
    const plain = await (await fetch(`${server.http}/metrics`)).text();
    const secure = await fetchSecure('/metrics');
    assert.equal(secure.status, 200);
    assert.ok(secure.text.length > plain.length / 2 && secure.text.endsWith('\n'));
  });

  test('a participant joins over wss', async () => {
    const token = await server.token('secure', 'ann');
    const ws = new WebSocket(`wss://127.0.0.1:${port}/rtc?${V0}&access_token=${token}`, { ca });
    ws.binaryType = 'nodebuffer';
    const first = await new Promise((resolve, reject) => {
      ws.once('message', resolve);
      ws.once('error', reject);
    });
    assert.equal(SignalResponse.fromBinary(first).message.case, 'join');
    ws.close();
    await until('the end of the connection', () => ws.readyState === WebSocket.CLOSED);
  });

  test('the log knows the address of the client', async () => {
    await fetchSecure('/rtc?access_token=nonsense', { headers: {
      connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'MDEyMzQ1Njc4OWFiY2RlZg==',
    } });
    await until('the line in the log', () => /join refused.*from=127\.0\.0\.1:\d+/.test(server.log()));
  });

  test('STUN is answered on the same port', async () => {
    const socket = connect({ host: '127.0.0.1', port, ca, ALPNProtocols: ['stun.turn'] });
    const answer = new Promise((resolve, reject) => {
      socket.once('data', resolve);
      socket.once('error', reject);
    });
    socket.write(encode({ method: METHOD.binding }));
    assert.ok(isStun(await answer));
    assert.equal(socket.alpnProtocol, 'stun.turn');
    socket.destroy();
  });

  test('nothing is left of them', async () => {
    await until('no connection', async () => {
      const m = await server.metrics();
      return m.sterna_turn_streams === 0 && m.sterna_turn_tcp_peers === 0 && m.sterna_turn_queue_bytes === 0;
    });
  });
});
