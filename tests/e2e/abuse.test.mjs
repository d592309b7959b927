// A call goes on while others do their worst; afterwards the server is as it was.
import { test, before, after, afterEach } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { dispose } from '@livekit/rtc-node';
import { LeaveRequest_Action } from '@livekit/protocol';
import { startServer, until } from './lib/server.mjs';
import { join, launch, received, spy } from './lib/browser.mjs';
import { joinNode, publishTone } from './lib/node.mjs';
import { SignalClient, get, joinRequest } from './lib/signal.mjs';

const CONNECTIONS = 2000; // that the server takes
const MESSAGE_BYTES = 1 << 17; // of the largest signal message it takes

let server;
let chrome;
let ann; // rtc-node, hums and counts
let tone;
let counting;
let bob; // a page that listens
let rssBefore;

const rss = async () => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${server.pid}/status`, 'utf8'))[1]) * 1024;

before(async () => {
  server = await startServer({ config: { limit: { signal_connections: CONNECTIONS, signal_message_size_limit: MESSAGE_BYTES }, room: { departure_timeout: 1 } } });
  chrome = await launch();
  bob = await chrome.page();
  await spy(bob);
  await join(bob, server, await server.token('call', 'bob'), { publish: false });
  ann = await joinNode(server, 'call', 'ann');
  tone = await publishTone(ann);
  let n = 0;
  counting = setInterval(() => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, n++);
    ann.localParticipant.publishData(bytes, { reliable: true, topic: 'count' }).catch(() => {});
  }, 100);
  await until('the call', async () => (await received(bob, 'ann')).audioPackets > 50);
  rssBefore = await rss();
});

after(async () => {
  clearInterval(counting);
  await tone?.stop();
  await ann?.disconnect();
  await dispose();
  await chrome?.close();
  await server?.stop();
});

async function callState() {
  const r = await received(bob, 'ann');
  const n = await bob.evaluate(() => window.data.filter((d) => d.topic === 'count' && d.from === 'ann').length);
  return { packets: r.audioPackets, energy: r.audioEnergy, data: n };
}

// After each attack: sound and data still come, and nobody had to connect again.
async function callGoesOn() {
  const first = await callState();
  await until('sound and data to go on', async () => {
    const c = await callState();
    return c.packets > first.packets + 25 && c.energy > first.energy && c.data > first.data + 3;
  });
  const gone = /^(reconnecting|reconnected|disconnected)$/;
  assert.deepEqual(ann.events.filter((e) => gone.test(e)), []);
  assert.deepEqual(await bob.evaluate(() => window.events.filter((e) => /^(signalReconnecting|reconnecting|reconnected|disconnected)$/.test(e))), []);
}

afterEach(callGoesOn);

// Runs an attack in another process; gives what it printed.
function attack(...args) {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./lib/attack.mjs', import.meta.url)), ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (d) => (said += d));
  return { child, exited: once(child, 'exit'), said: () => said };
}

const dropped = (metrics, reason) => metrics[`sterna_packets_dropped_total{reason="${reason}"}`] ?? 0;

// Writes raw bytes on an upgraded connection; gives everything that came back until the server ended it.
async function rawSocket(token, { path = '/rtc?sdk=js&protocol=17' } = {}) {
  const socket = connect(server.port, '127.0.0.1');
  const got = [];
  let upgraded;
  const upgrade = new Promise((resolve) => (upgraded = resolve));
  socket.on('data', (d) => {
    got.push(d);
    if (Buffer.concat(got).includes('\r\n\r\n')) upgraded();
  });
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.write(
    `GET ${path}&access_token=${token} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n',
  );
  await within('the upgrade', upgrade);
  assert.match(Buffer.concat(got).toString('latin1'), /^HTTP\/1.1 101 /);
  return { socket, closed, bytes: () => Buffer.concat(got) };
}

// One masked frame head: what follows is up to the caller.
function frameHead(opcode, length, { fin = true } = {}) {
  const b0 = (fin ? 0x80 : 0) | opcode;
  if (length < 126) return Buffer.from([b0, 0x80 | length, 0, 0, 0, 0]);
  if (length < 65536) return Buffer.from([b0, 0x80 | 126, length >> 8, length & 255, 0, 0, 0, 0]);
  const b = Buffer.alloc(14);
  b[0] = b0;
  b[1] = 0x80 | 127;
  b.writeBigUInt64BE(BigInt(length), 2);
  return b;
}

// The code of the close frame at the end of what came; undefined if there is none.
function closeCode(bytes) {
  const at = bytes.lastIndexOf(0x88);
  return at >= 0 && bytes[at + 1] >= 2 ? bytes.readUInt16BE(at + 2) : undefined;
}

const within = (what, promise, ms = 15000) => {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`timed out waiting for ${what}`)), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

test('WebSocket frames: cut off, too large, against the protocol, without end', async () => {
  const token = await server.token('frames', 'mallory');

  // Announced larger than any message may be: no need to wait for its bytes.
  for (const length of [MESSAGE_BYTES + 1, 2 ** 33, 2 ** 52]) {
    const s = await rawSocket(token);
    s.socket.write(Buffer.concat([frameHead(2, length), Buffer.alloc(1000)]));
    await within(`the end after a frame of ${length}`, s.closed);
    assert.equal(closeCode(s.bytes()), 1009, `length ${length}`);
  }
  // As large in pieces.
  const pieces = await rawSocket(token);
  pieces.socket.write(Buffer.concat([frameHead(2, 1000, { fin: false }), Buffer.alloc(1000)]));
  for (let sent = 1000; sent <= MESSAGE_BYTES && pieces.socket.writable; sent += 1000)
    pieces.socket.write(Buffer.concat([frameHead(0, 1000, { fin: false }), Buffer.alloc(1000)]));
  await within('the end of a message in too many pieces', pieces.closed);
  assert.equal(closeCode(pieces.bytes()), 1009);

  const ends = [
    ['reserved opcode', Buffer.concat([frameHead(5, 3), Buffer.alloc(3)])],
    ['reserved bits', Buffer.from([0xf2, 0x83, 0, 0, 0, 0, 1, 2, 3])],
    ['a ping too long', Buffer.concat([frameHead(9, 200), Buffer.alloc(200)])],
    ['a continuation of nothing', Buffer.concat([frameHead(0, 3), Buffer.alloc(3)])],
  ];
  // Each by somebody else: a second one of the same name would end the first.
  await Promise.all(
    ends.map(async ([what, bytes], i) => {
      const s = await rawSocket(await server.token('frames', `mallory${i}`));
      s.socket.write(bytes);
      await within(`the end after ${what}`, s.closed);
    }),
  );
  // In the middle of a frame the line is cut, again and again; and frames without a mask, which no browser sends.
  for (let i = 0; i < 50; i++) {
    const s = await rawSocket(token);
    const head = i % 2 ? frameHead(2, 5000) : Buffer.from([0x82, 126, 5000 >> 8, 5000 & 255]);
    s.socket.write(Buffer.concat([head, randomBytes(randomInt(0, 4000))]));
    s.socket.destroy();
  }
});

test('garbage as messages: some are thrown away, ten in a row end it, so does a flood', async (t) => {
  const enter = async (id) => {
    const c = await SignalClient.join(server, await server.token('garbage', id));
    t.after(() => c.close());
    return c;
  };
  const bad = (await server.metrics()).sterna_signal_messages_bad_total;
  for (const frame of [Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f]), '{"offer": ', '[]', Buffer.from('not protobuf')]) {
    const c = await enter('mallory');
    for (let i = 0; i < 9; i++) c.ws.send(frame);
    await c.sync(); // a good one in between: the count starts anew
    assert.equal(c.closed, null);
    for (let i = 0; i < 10; i++) c.ws.send(frame);
    assert.equal((await c.end()).code, 1003, `${frame}`);
  }
  assert.ok((await server.metrics()).sterna_signal_messages_bad_total >= bad + 4 * 19);

  const c = await enter('mallory');
  for (let i = 0; i < 20; i++) c.ws.send(randomBytes(randomInt(1, 3000))); // any of these may be a message by chance
  const flood = await enter('flood');
  for (let i = 0; i < 3000; i++) flood.send('ping', BigInt(i));
  assert.equal((await flood.end()).code, 1008);
});

test('requests that make no sense leave the room as it is', async (t) => {
  const c = await SignalClient.join(server, await server.token('call', 'mallory'));
  t.after(() => c.close());
  const nonsense = [
    ['answer', { type: 'answer', sdp: 'v=0\r\n', id: 77 }],
    ['trickle', { candidateInit: '{"candidate":"candidate:garbage"}', target: 1 }],
    ['trickle', { candidateInit: 'no JSON', target: 0 }],
    ['mute', { sid: '', muted: true }],
    ['subscription', { trackSids: ['', 'TR_x', 'x'.repeat(5000)], subscribe: true }],
    ['subscription', { participantTracks: [{ participantSid: 'PA_x', trackSids: ['TR_y'] }], subscribe: false }],
    ['trackSetting', { trackSids: ['TR_x'], quality: 99, width: 0xffffffff, height: 0xffffffff }],
    ['updateAudioTrack', { trackSid: 'TR_x', features: [0, 1, 2, 77] }],
    ['updateVideoTrack', { trackSid: 'TR_x', width: 0xffffffff, height: 0 }],
    ['syncState', {}],
    ['simulate', {}],
    ['subscriptionPermission', { trackPermissions: [{ participantSid: 'PA_x', allTracks: true }] }],
    ['addTrack', { cid: '', type: 1, source: 99, layers: Array.from({ length: 200 }, () => ({ quality: 1, width: 1, height: 1 })) }],
  ];
  for (const [kind, value] of nonsense) c.send(kind, value);
  for (let i = 0; i < 50; i++) c.send('addTrack', { cid: `c${i}`, type: i % 2, source: 0 });
  await c.next('requestResponse', (r) => r.request.case === 'addTrack' && r.reason === 3);
  await c.sync();
  assert.equal(c.closed, null);
});

test('offers of garbage are answered or end that session, and no other', async (t) => {
  const offer = await bob.evaluate(() => window.pcs[0].localDescription.sdp);
  const lines = offer.split('\r\n');
  const mutants = ['', 'v=0', 'garbage', 'v=0\r\n'.repeat(2000), `${offer}a=${'x'.repeat(60000)}\r\n`,
    lines.filter((l) => !l.startsWith('a=fingerprint')).join('\r\n'), lines.filter((l) => !l.startsWith('a=ice-')).join('\r\n'),
    offer.replaceAll('a=mid:', 'a=mid:0'), offer.replace(/m=audio \d+/, 'm=audio 99999999999')];
  for (let i = 0; i < 60; i++) mutants.push(offer.slice(0, randomInt(offer.length)));
  for (let i = 0; i < 60; i++) {
    const copy = [...lines];
    for (let k = 0; k < 5; k++) {
      const at = randomInt(copy.length);
      if (k % 3 === 0) copy.splice(at, 1);
      else if (k % 3 === 1) copy.splice(at, 0, copy[randomInt(copy.length)]);
      else copy[at] = copy[at].slice(0, randomInt(copy[at].length + 1)) + randomBytes(3).toString('latin1').replaceAll('\0', '?'); // with a NUL it would be no message at all
    }
    mutants.push(copy.join('\r\n'));
  }
  let answers = 0;
  for (const [i, sdp] of mutants.entries()) {
    const token = await server.token('offers', `mallory${i % 10}`);
    const c = await SignalClient.join(server, token, { path: `/rtc/v1?join_request=${joinRequest()}` });
    t.after(() => c.close());
    c.send('offer', { type: 'offer', sdp, id: 1 });
    const m = await c.wait(`an answer to offer ${i}:\n${sdp.slice(0, 300)}`, (all) => all.find((x) => x.case === 'answer' || x.case === 'leave'));
    if (m.case === 'leave') {
      assert.equal(m.value.action, LeaveRequest_Action.RECONNECT);
      await c.end();
    } else {
      answers++;
    }
    c.close();
  }
  assert.ok(answers > 0 && answers < mutants.length, `${answers} of ${mutants.length} were answered`);
});

test('garbage in data channels', async (t) => {
  const page = await chrome.page();
  t.after(() => page.context().close());
  await spy(page);
  await join(page, server, await server.token('call', 'mallory'), { publish: false });
  await until('the channels', () => page.evaluate(() => window.channels._reliable?.readyState === 'open' && window.channels._lossy?.readyState === 'open'));
  const before = dropped(await server.metrics(), 'data_malformed');
  await page.evaluate(async () => {
    const random = (n) => crypto.getRandomValues(new Uint8Array(n));
    const { _reliable: reliable, _lossy: lossy } = window.channels;
    for (let i = 0; i < 100; i++) {
      // A field longer than its message, groups that never end, and chance.
      reliable.send(new Uint8Array([0x12, 0xff, 0xff, 0xff, 0xff, 0x0f, i]));
      lossy.send(new Uint8Array(1000).fill(0x0b));
      lossy.send(random(1 + (i * 37) % 1100));
    }
    for (let i = 0; i < 10; i++) reliable.send(random(60000));
    reliable.send('text where bytes belong');
    // More channels, of odd names and the same names.
    const pc = window.pcs[0];
    for (let i = 0; i < 100; i++) {
      try {
        pc.createDataChannel(i % 2 ? '_reliable' : 'x'.repeat(i * 100));
      } catch {
        break; // more than were agreed on
      }
    }
  });
  await until('the drops to be counted', async () => dropped(await server.metrics(), 'data_malformed') >= before + 100);
});

test('datagrams at full speed', async (t) => {
  const ufrags = await bob.evaluate(() => {
    const of = (sdp) => /a=ice-ufrag:(\S+)/.exec(sdp)[1];
    return window.pcs.filter((pc) => pc.remoteDescription).map((pc) => `${of(pc.remoteDescription.sdp)}:${of(pc.localDescription.sdp)}`);
  });
  assert.ok(ufrags.length > 0);
  const ports = `${server.udp},${server.udp + 1}`;
  for (const [kind, reasons] of [['random', ['unknown_tuple', 'not_rtc']], ['stun', ['stun_malformed']], ['forged', ['stun_auth']],
    ['rtp', ['unknown_tuple']], ['dtls', ['unknown_tuple']], ['large', ['unknown_tuple']], ['empty', []]]) {
    const before = await server.metrics();
    const data = (await callState()).data;
    const a = attack('udp', 1.5, ports, kind, ufrags.join(','));
    await within(`the ${kind} datagrams`, a.exited);
    const sent = Number(/\d+/.exec(a.said())[0]);
    const now = await server.metrics();
    const taken = now.sterna_packets_in_total - before.sterna_packets_in_total;
    t.diagnostic(`${kind}: ${sent} sent, ${taken} taken by the server; ${(await callState()).data - data} messages of the call meanwhile`);
    for (const reason of reasons)
      assert.ok(dropped(now, reason) > dropped(before, reason), `${kind} is counted as ${reason}`);
    assert.ok(sent > 5000, `${kind}: sent ${sent}`);
    await callGoesOn();
  }
});

test('10 000 connections that say nothing, and some that say it slowly', async (t) => {
  const slow = Array.from({ length: 20 }, () => {
    const s = connect(server.port, '127.0.0.1');
    s.on('error', () => {});
    let at = 0;
    const text = 'GET /rtc/validate HTTP/1.1\r\nHost: slow\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
    const drip = setInterval(() => s.write(text[at++ % text.length]), 500);
    const closed = new Promise((resolve) => s.on('close', () => {
      clearInterval(drip);
      resolve();
    }));
    return { s, closed };
  });
  const a = attack('tcp', 10000, server.port);
  t.after(() => a.child.stdin.end());
  await until('10 000 connections', () => /opened/.test(a.said()), 30000);
  t.diagnostic(a.said().trim());
  assert.match(a.said(), /opened 10000/);
  // Those who are in stay in while the door is blocked; the blockers are shown out, then others come in again.
  await callGoesOn();
  await within('the slow ones to be closed', Promise.all(slow.map((x) => x.closed)), 20000);
  const token = await server.token('call', 'late');
  await until('the door to be free', async () => {
    try {
      return (await get(server, '/rtc/validate', token)).status === 200;
    } catch {
      return false;
    }
  }, 20000);
  const late = await SignalClient.join(server, token);
  late.close();
  a.child.stdin.end();
  await a.exited;
});

test('nothing is left of them: participants, rooms, memory', async (t) => {
  await until('only the two of the call to be there', async () => {
    const m = await server.metrics();
    return m.sterna_participants === 2 && m.sterna_rooms === 1 && m.sterna_signal_connections === 2;
  }, 20000);
  const now = await rss();
  t.diagnostic(`memory: ${(rssBefore / 1e6).toFixed(1)} MB before, ${(now / 1e6).toFixed(1)} MB after`);
  assert.ok(now < rssBefore * 1.2 + 20e6, `${now} bytes are resident, ${rssBefore} were`);
});
