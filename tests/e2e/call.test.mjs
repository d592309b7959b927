// Two and three browsers in a room, with today's livekit-client as it comes from npm.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startServer, until } from './lib/server.mjs';
import { launch, join, received } from './lib/browser.mjs';

let server;
let chrome;

before(async () => {
  server = await startServer();
  chrome = await launch();
});

after(async () => {
  await chrome?.close();
  await server?.stop();
});

// Video keeps being decoded at a sensible size, and there is sound in the audio.
async function seesAndHears(page, identity) {
  const first = await until(`${identity}'s video`, async () => {
    const r = await received(page, identity);
    return r.framesDecoded > 5 && r.audioPackets > 20 && r;
  });
  const later = await until(`more of ${identity}'s video`, async () => {
    const r = await received(page, identity);
    return r.framesDecoded > first.framesDecoded + 10 && r.audioEnergy > 0 && r;
  });
  assert.ok(later.width >= 160 && later.height >= 90, `picture of ${later.width}x${later.height}`);
  assert.equal(later.tracks, 2);
  return later;
}

for (const singlePeerConnection of [true, false]) {
  const name = singlePeerConnection ? 'one peer connection' : 'two peer connections';
  const room = singlePeerConnection ? 'single' : 'dual';
  const options = { singlePeerConnection };

  test(`two see and hear each other, a third joins late (${name})`, async () => {
    const [a, b, c] = await Promise.all([chrome.page(), chrome.page(), chrome.page()]);
    await join(a, server, await server.token(room, 'ann'), { options });
    await join(b, server, await server.token(room, 'bob'), { options });
    await seesAndHears(a, 'bob');
    const atFull = await until('the full picture', async () => {
      const r = await received(b, 'ann');
      return r.width >= 1280 && r;
    }, 30000);
    assert.equal(atFull.height, 720);

    await join(c, server, await server.token(room, 'cyd'), { options });
    await Promise.all([seesAndHears(c, 'ann'), seesAndHears(c, 'bob'), seesAndHears(a, 'cyd'), seesAndHears(b, 'cyd')]);

    await a.evaluate(() => window.room.localParticipant.setMicrophoneEnabled(false));
    await until('the mute to be seen', () =>
      b.evaluate(() => window.room.remoteParticipants.get('ann').isMicrophoneEnabled === false));

    const left = c.evaluate(() => window.room.disconnect());
    await until('the leaving to be seen', () => a.evaluate(() => !window.room.remoteParticipants.has('cyd')));
    await left;
    await b.close();
    await until('the closed tab to be seen', () => a.evaluate(() => window.room.remoteParticipants.size === 0));
    await a.close();
  });

  test(`a packet of 60 000 bytes reaches exactly its destination (${name})`, async () => {
    const [a, b, c] = await Promise.all([chrome.page(), chrome.page(), chrome.page()]);
    for (const [page, id] of [[a, 'ann'], [b, 'bob'], [c, 'cyd']])
      await join(page, server, await server.token(`${room}-data`, id), { options, publish: false });
    await a.evaluate(async () => {
      const bytes = new Uint8Array(60000).fill(7);
      bytes[0] = 1;
      bytes[59999] = 9;
      await window.room.localParticipant.publishData(bytes, { reliable: true, destinationIdentities: ['bob'], topic: 'big' });
      await window.room.localParticipant.publishData(new Uint8Array([42]), { reliable: true, topic: 'all' });
    });
    await until('the data', () => b.evaluate(() => window.data.length === 2));
    assert.deepEqual(await b.evaluate(() => window.data[0]), { n: 60000, first: 1, last: 9, from: 'ann', topic: 'big' });
    await until('the broadcast', () => c.evaluate(() => window.data.length === 1));
    assert.equal((await c.evaluate(() => window.data[0])).topic, 'all');
    assert.equal(await a.evaluate(() => window.data.length), 0);
    await Promise.all([a.close(), b.close(), c.close()]);
  });
}
