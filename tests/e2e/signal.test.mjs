// The signal protocol word by word: who may join, what is answered, how the server and its rooms end.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { DisconnectReason, LeaveRequest_Action, ParticipantInfo_State, RequestResponse_Reason, TrackSource, TrackType } from '@livekit/protocol';
import { KEY, SECRET, startServer, until } from './lib/server.mjs';
import { SignalClient, V0, base64url, get, joinRequest, refusal } from './lib/signal.mjs';

let server;

before(async () => {
  server = await startServer({ config: { limit: { max_metadata_size: 1000, max_attributes_size: 1000 } } });
});

after(async () => {
  await server?.stop();
});

// A server of its own for a test, stopped at its end.
async function own(t, config) {
  const s = await startServer({ config });
  t.after(() => s.stop());
  return s;
}

const now = () => Math.floor(Date.now() / 1000);

// A token built by hand, to say what no SDK would.
function jwt(claims, { secret = SECRET, header = { alg: 'HS256', typ: 'JWT' } } = {}) {
  const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
  const text = `${part(header)}.${part({ iss: KEY, sub: 'ann', exp: now() + 600, video: { roomJoin: true, room: 'r' }, ...claims })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

const payload = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

let rooms = 0;
const roomName = () => `room-${++rooms}`;

// Joins a room; the connection is closed at the end of the test.
async function enter(t, room, identity, { grants = {}, on = server, ...options } = {}) {
  const c = await SignalClient.join(on, await on.token(room, identity, grants), options);
  t.after(() => c.close());
  return c;
}

// A round trip through the room: what it had to say before has come. (A ping is answered before it gets there.)
let barriers = 0;
async function settled(c) {
  const sid = `TR_barrier${++barriers}`;
  c.send('mute', { sid, muted: true });
  const is = (r) => r.request.case === 'mute' && r.request.value.sid === sid;
  return c.next('requestResponse', is);
}

test('who may join: status and text, for both paths, before the upgrade', async () => {
  const good = jwt({});
  const cases = [
    ['no token', undefined, 401, 'permissions denied'],
    ['no token at all', 'garbage', 401, 'invalid authorization token'],
    ['expired', jwt({ exp: now() - 120 }), 401, 'invalid token: expired'],
    ['without end', jwt({ exp: undefined }), 401, 'invalid token: claim "exp" is missing'],
    ['of tomorrow', jwt({ nbf: now() + 3600 }), 401, 'invalid token: not valid yet'],
    ['wrong secret', jwt({}, { secret: 'not the secret of that key, but long' }), 401, 'invalid token: wrong signature'],
    ['unknown key', jwt({ iss: 'nokey' }), 401, 'invalid API key'],
    ['unsigned', `${jwt({}, { header: { alg: 'none' } }).split('.').slice(0, 2).join('.')}.`, 401, 'invalid authorization token'],
    ['alg none, signed', jwt({}, { header: { alg: 'none' } }), 401, 'invalid authorization token'],
    ['another algorithm', jwt({}, { header: { alg: 'HS512' } }), 401, 'invalid authorization token'],
    ['changed claims', `${good.split('.')[0]}.${jwt({ sub: 'eve' }).split('.')[1]}.${good.split('.')[2]}`, 401, 'invalid token: wrong signature'],
    ['no roomJoin', jwt({ video: { room: 'r' } }), 401, 'permissions denied'],
    ['roomJoin false', jwt({ video: { room: 'r', roomJoin: false } }), 401, 'permissions denied'],
    ['no grants', jwt({ video: undefined }), 401, 'permissions denied'],
    ['no room', jwt({ video: { roomJoin: true } }), 400, 'no room name'],
    ['no identity', jwt({ sub: undefined }), 400, 'identity cannot be empty'],
    ['long identity', jwt({ sub: 'x'.repeat(257) }), 400, 'participant identity length exceeds limits'],
    ['long room', jwt({ video: { roomJoin: true, room: 'x'.repeat(257) } }), 400, 'room name length exceeds limits'],
  ];
  const wish = joinRequest();
  for (const [what, token, status, text] of cases) {
    for (const path of ['/rtc?', `/rtc/v1?join_request=${wish}&`]) {
      const query = token ? `access_token=${token}` : '';
      assert.deepEqual(await refusal(server, path + query), { status, text }, `${what}: upgrade of ${path}`);
      const answer = await get(server, path.replace('?', '/validate?') + query);
      assert.deepEqual([answer.status, answer.text], [status, text], `${what}: ${path}`);
      assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    }
  }
  // Clocks differ a little: a minute late or early is all right.
  for (const token of [good, jwt({ exp: now() - 20 }), jwt({ nbf: now() + 30 })]) {
    const answer = await get(server, '/rtc/validate', token);
    assert.deepEqual([answer.status, answer.text], [200, 'success']);
  }
  assert.equal((await refusal(server, '/rtc/v1', good)).status, 400, 'v1 without join_request');
  assert.equal((await refusal(server, '/rtc/v1?join_request=!!!', good)).status, 400);
  assert.equal((await refusal(server, `/rtc/v1?join_request=${base64url(Buffer.from('garbage'))}`, good)).status, 400);
  for (const path of ['/rtc', '/rtc/v1']) {
    const plain = await get(server, path, good);
    assert.deepEqual([plain.status, plain.text], [404, ''], `plain GET of ${path}`);
  }
});

test('own metadata in the join request needs the permission', async () => {
  const wish = joinRequest({ metadata: 'm' });
  assert.equal((await get(server, `/rtc/v1/validate?join_request=${wish}`, jwt({}))).status, 401);
  const may = jwt({ video: { roomJoin: true, room: 'r', canUpdateOwnMetadata: true } });
  assert.equal((await get(server, `/rtc/v1/validate?join_request=${wish}`, may)).status, 200);
});

for (const [name, path] of [['v0', `/rtc?${V0}`], ['v1', `/rtc/v1?join_request=${joinRequest()}`],
  ['v1, uncompressed', `/rtc/v1?join_request=${joinRequest({}, { gzip: false })}`]]) {
  test(`join: first message and what follows (${name})`, async (t) => {
    const room = roomName();
    const bob = await enter(t, room, 'bob', { path });
    const ann = await enter(t, room, 'ann', { path, grants: { canPublishData: false, hidden: false } });
    assert.equal(ann.messages[0].case, 'join', 'join comes first');
    const j = ann.info;
    assert.match(j.room.sid, /^RM_[2-9A-HJ-NP-Za-km-z]{12}$/);
    assert.equal(j.room.name, room);
    assert.match(j.participant.sid, /^PA_/);
    assert.equal(j.participant.identity, 'ann');
    assert.equal(j.participant.state, ParticipantInfo_State.JOINED);
    assert.equal(j.participant.permission.canPublish, true);
    assert.equal(j.participant.permission.canPublishData, false);
    assert.deepEqual(j.otherParticipants.map((p) => p.identity), ['bob']);
    assert.match(j.serverVersion, /^\d+\.\d+\.\d+$/);
    assert.equal(j.serverInfo.protocol >= 16, true);
    assert.equal(j.subscriberPrimary, name === 'v0');
    assert.equal(j.pingInterval, 5);
    assert.equal(j.pingTimeout, 15);
    assert.ok(j.enabledPublishCodecs.some((c) => c.mime.toLowerCase() === 'video/vp8'));

    // The other one learns of it.
    await bob.wait('ann', () => bob.seen('ann'));
    assert.equal(bob.seen('ann').sid, j.participant.sid);

    // A fresh token comes by itself, it says all out loud, and it opens the door.
    const token = await ann.next('refreshToken');
    const { video, sub, exp } = payload(token);
    assert.equal(sub, 'ann');
    assert.ok(exp > now() + 500);
    for (const [claim, value] of [['canPublish', true], ['canSubscribe', true], ['canPublishData', false]])
      assert.equal(video[claim], value, claim);
    assert.equal((await get(server, '/rtc/validate', token)).status, 200);

    // Two connections: the server offers at once. One: it waits for the client's offer.
    if (name === 'v0') {
      const offer = await ann.next('offer');
      assert.match(offer.sdp, /m=application/);
    } else {
      await settled(ann);
      assert.ok(!ann.messages.some((m) => m.case === 'offer'));
    }

    ann.send('leave', { reason: DisconnectReason.CLIENT_INITIATED });
    await bob.wait("ann's leaving", () => bob.seen('ann').state === ParticipantInfo_State.DISCONNECTED);
    assert.equal(bob.seen('ann').disconnectReason, DisconnectReason.CLIENT_INITIATED);
    await ann.end();
    assert.equal(ann.closed.code, 1000);
  });
}

test('who speaks JSON is answered in JSON, and can change its mind', async (t) => {
  const c = await enter(t, roomName(), 'ann');
  assert.equal(c.lastWasBinary, true);
  c.json = true;
  await c.sync();
  assert.equal(c.lastWasBinary, false);
  await settled(c);
  assert.equal(c.lastWasBinary, false);
  c.json = false;
  await c.sync();
  assert.equal(c.lastWasBinary, true);
});

test('both kinds of ping are answered', async (t) => {
  const c = await enter(t, roomName(), 'ann');
  c.send('ping', 12345n);
  const pong = await c.next('pong');
  assert.ok(Math.abs(Number(pong) - Date.now()) < 60_000);
  c.send('pingReq', { timestamp: 777n, rtt: 3n });
  const resp = await c.next('pongResp');
  assert.equal(resp.lastPingTimestamp, 777n);
});

test('the same identity again: the older one is told and leaves', async (t) => {
  const room = roomName();
  const watcher = await enter(t, room, 'watcher');
  const first = await enter(t, room, 'ann');
  const second = await enter(t, room, 'ann');
  const leave = await first.next('leave');
  assert.equal(leave.reason, DisconnectReason.DUPLICATE_IDENTITY);
  assert.equal(leave.action, LeaveRequest_Action.DISCONNECT);
  assert.equal((await first.end()).code, 1000);
  await watcher.wait('the new one', () => watcher.seen('ann')?.sid === second.info.participant.sid);
  await settled(second);
  assert.equal(second.closed, null);
  assert.notEqual(watcher.seen('ann').state, ParticipantInfo_State.DISCONNECTED);
});

test('a room that is full', async (t) => {
  const s = await own(t, { room: { max_participants: 2 } });
  const room = roomName();
  await enter(t, room, 'ann', { on: s });
  const bob = await enter(t, room, 'bob', { on: s });
  const cyd = await SignalClient.open(s, await s.token(room, 'cyd'));
  const leave = await cyd.next('leave');
  assert.equal(leave.action, LeaveRequest_Action.DISCONNECT);
  assert.equal(cyd.messages[0].case, 'leave', 'nothing was said before');
  await cyd.end();
  // Coming back under the same name takes no seat; one that leaves frees its own.
  await enter(t, room, 'ann', { on: s });
  bob.send('leave', {});
  await bob.end();
  await enter(t, room, 'dan', { on: s });
});

test('a room ends some time after the last has left, not before', async (t) => {
  const s = await own(t, { room: { departure_timeout: 2 } });
  const room = roomName();
  const first = await enter(t, room, 'ann', { on: s });
  first.close();
  await until('nobody to be there', async () => (await s.metrics()).sterna_participants === 0);
  const again = await enter(t, room, 'ann', { on: s });
  assert.equal(again.info.room.sid, first.info.room.sid, 'the room was kept');
  again.close();
  await until('the room to end', async () => (await s.metrics()).sterna_rooms === 0);
  const later = await enter(t, room, 'ann', { on: s });
  assert.notEqual(later.info.room.sid, first.info.room.sid);
});

test('rooms that are not made by joining', async (t) => {
  const s = await own(t, { room: { auto_create: false } });
  const token = await s.token('nowhere', 'ann');
  const refused = { status: 404, text: 'requested room does not exist' };
  assert.deepEqual(await refusal(s, '/rtc', token), refused);
  assert.deepEqual(await refusal(s, `/rtc/v1?join_request=${joinRequest()}`, token), refused);
  const answer = await get(s, '/rtc/validate', token);
  assert.deepEqual({ status: answer.status, text: answer.text }, refused);
});

test('publishing without permission, and what is no track', async (t) => {
  const camera = { cid: 'c1', name: 'cam', type: TrackType.VIDEO, source: TrackSource.CAMERA };
  const refused = async (grants, track, reason) => {
    const c = await enter(t, roomName(), 'ann', { grants });
    c.send('addTrack', track);
    const r = await c.next('requestResponse');
    assert.equal(r.reason, reason);
    assert.equal(r.request.case, 'addTrack');
    assert.equal(r.request.value.cid, track.cid);
  };
  await refused({ canPublish: false }, camera, RequestResponse_Reason.NOT_ALLOWED);
  await refused({ canPublishSources: [TrackSource.MICROPHONE] }, camera, RequestResponse_Reason.NOT_ALLOWED);
  await refused({}, { ...camera, type: TrackType.DATA }, RequestResponse_Reason.UNSUPPORTED_TYPE);

  const c = await enter(t, roomName(), 'ann', { grants: { canPublishSources: [TrackSource.CAMERA] } });
  c.send('addTrack', { ...camera, width: 640, height: 360, muted: true });
  const published = await c.next('trackPublished');
  assert.equal(published.cid, 'c1');
  assert.match(published.track.sid, /^TR_VC/);
  assert.equal(published.track.muted, true);
  assert.equal(published.track.width, 640);

  const r = await settled(c);
  assert.equal(r.reason, RequestResponse_Reason.NOT_FOUND);
});

test('updating oneself: permission, limits, and what others see', async (t) => {
  const room = roomName();
  const ann = await enter(t, room, 'ann');
  const bob = await enter(t, room, 'bob', { grants: { canUpdateOwnMetadata: false } });
  const answer = (c, id) => c.next('requestResponse', (r) => r.requestId === id);

  bob.send('updateMetadata', { metadata: 'x', requestId: 1 });
  assert.equal((await answer(bob, 1)).reason, RequestResponse_Reason.NOT_ALLOWED);
  for (const [id, update] of [[2, { metadata: 'x'.repeat(1001) }], [3, { name: 'n'.repeat(257) }], [4, { attributes: { a: 'x'.repeat(1000) } }]]) {
    ann.send('updateMetadata', { ...update, requestId: id });
    assert.equal((await answer(ann, id)).reason, RequestResponse_Reason.LIMIT_EXCEEDED, `request ${id}`);
  }
  ann.send('updateMetadata', { metadata: 'x'.repeat(1000), name: 'Ann', attributes: { a: '1', b: '2' }, requestId: 5 });
  assert.equal((await answer(ann, 5)).reason, RequestResponse_Reason.OK);
  await bob.wait("ann's name", () => bob.seen('ann')?.name === 'Ann');
  assert.deepEqual(bob.seen('ann').attributes, { a: '1', b: '2' });
  const version = bob.seen('ann').version;
  ann.send('updateMetadata', { attributes: { a: '' }, requestId: 6 });
  assert.equal((await answer(ann, 6)).reason, RequestResponse_Reason.OK);
  await bob.wait('the attribute to go', () => bob.seen('ann').attributes.a === undefined);
  assert.ok(bob.seen('ann').version > version);
  assert.equal(bob.seen('ann').metadata.length, 1000, 'what was not said stays');
  await ann.wait('the own update', () => ann.seen('ann')?.attributes.b === '2');
  await ann.wait('a token that says so', (all) =>
    all.find((m) => m.case === 'refreshToken' && payload(m.value).name === 'Ann' && !payload(m.value).attributes.a));
});

test('hidden participants see and are not seen', async (t) => {
  const room = roomName();
  const ann = await enter(t, room, 'ann');
  const spy = await enter(t, room, 'spy', { grants: { hidden: true } });
  assert.deepEqual(spy.info.otherParticipants.map((p) => p.identity), ['ann']);
  const bob = await enter(t, room, 'bob');
  assert.deepEqual(bob.info.otherParticipants.map((p) => p.identity), ['ann']);
  await spy.wait('bob', () => spy.seen('bob'));
  spy.send('updateMetadata', { name: 'Spy', requestId: 1 });
  await spy.next('requestResponse');
  spy.send('leave', {});
  await spy.end();
  await settled(ann);
  assert.equal(ann.seen('spy'), undefined);
});

test('a client that comes back to a session that is gone is told to start anew', async (t) => {
  const room = roomName();
  const c = await SignalClient.open(server, await server.token(room, 'ann'), { path: `/rtc?${V0}&reconnect=1&sid=PA_gone` });
  t.after(() => c.close());
  const leave = await c.next('leave');
  assert.equal(c.messages[0].case, 'leave');
  assert.equal(leave.action, LeaveRequest_Action.RECONNECT);
  assert.equal(leave.reason, DisconnectReason.STATE_MISMATCH);
  await c.end();
});

test('a client that never negotiated is gone with its connection', async (t) => {
  const room = roomName();
  const ann = await enter(t, room, 'ann');
  const bob = await enter(t, room, 'bob');
  bob.ws.terminate();
  await ann.wait("bob's going", () => ann.seen('bob')?.state === ParticipantInfo_State.DISCONNECTED);
});

test('SIGHUP: keys and the level of the log change, connections stay; a broken file changes nothing', async (t) => {
  const s = await own(t, {});
  const ann = await enter(t, roomName(), 'ann', { on: s });
  const old = await s.token('r', 'bob');
  const next = { next: 'another-secret-that-is-long-enough-too' };
  const fresh = jwt({ iss: 'next' }, { secret: next.next });
  assert.equal((await get(s, '/rtc/validate', fresh)).text, 'invalid API key');

  await s.reload({ keys: { [KEY]: SECRET, ...next }, logging: { level: 'debug' } });
  assert.match(s.log(), /reloaded.*key=logging.level/);
  await until('the new key', async () => (await get(s, '/rtc/validate', fresh)).status === 200);
  assert.equal((await get(s, '/rtc/validate', old)).status, 200);

  await s.reload({ keys: next });
  await until('the old key to be gone', async () => (await get(s, '/rtc/validate', old)).status === 401);
  await settled(ann);

  await s.reload({ keys: 7 }, /reload failed/);
  assert.equal((await get(s, '/rtc/validate', fresh)).status, 200);
  assert.equal(ann.closed, null);
});

test('SIGTERM waits for those who are there, and lets nobody in', async (t) => {
  const s = await startServer();
  t.after(() => s.child.kill('SIGKILL'));
  const room = roomName();
  const ann = await enter(t, room, 'ann', { on: s });
  const token = await s.token(room, 'bob');
  s.child.kill('SIGTERM');
  await until('draining', async () => (await fetch(`${s.http}/readyz`)).status === 503);
  assert.equal((await fetch(`${s.http}/healthz`)).status, 200);
  assert.deepEqual(await refusal(s, '/rtc', token), { status: 503, text: 'server is not ready: draining' });
  await settled(ann);
  assert.equal(ann.closed, null);
  assert.ok(!ann.messages.some((m) => m.case === 'leave'), 'nobody is sent away');
  ann.send('leave', {});
  const [code] = await s.exited;
  assert.equal(code, 0);
});

test('a second SIGTERM does not wait: leave, then the close of the connection', async (t) => {
  const s = await startServer();
  t.after(() => s.child.kill('SIGKILL'));
  const clients = await Promise.all(['ann', 'bob', 'cyd'].map((id) => enter(t, roomName(), id, { on: s })));
  s.child.kill('SIGTERM');
  await until('draining', () => /msg="?draining/.test(s.log()));
  s.child.kill('SIGTERM');
  for (const c of clients) {
    const leave = await c.next('leave');
    assert.equal(leave.reason, DisconnectReason.SERVER_SHUTDOWN);
    const { code } = await c.end();
    assert.ok(code === 1000 || code === 1001, `closed with ${code}`);
  }
  const [code] = await s.exited;
  assert.equal(code, 0, s.log().slice(-2000));
});
