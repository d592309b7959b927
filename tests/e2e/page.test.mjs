// The web page as a person uses it: join, see each other, mute, leave; without a camera, without permission, on a phone.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startServer, until } from './lib/server.mjs';
import { launch } from './lib/browser.mjs';

let server;
let chrome;

before(async () => {
  server = await startServer({ args: ['--dev'] });
  chrome = await launch();
});

after(async () => {
  await chrome?.close();
  await server?.stop();
});

async function open(url, { browser = chrome.browser, ...context } = {}) {
  const page = await (await browser.newContext(context)).newPage();
  page.errors = [];
  page.on('pageerror', (e) => page.errors.push(e.message));
  page.on('console', (m) => m.type() === 'error' && page.errors.push(m.text()));
  await page.goto(url);
  return page;
}

async function join(page, name) {
  await page.getByTestId('name-input').fill(name);
  await page.getByTestId('join-button').click();
  await status(page, 'connected');
}

const status = (page, text) =>
  until(`the status "${text}"`, async () => (await page.getByTestId('status').textContent({ timeout: 5000 })) === text);

const tiles = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('[data-testid=tile]')].map((t) => ({
      who: t.dataset.identity.replace(/-[0-9a-f]{6}$/, ''),
      camera: t.dataset.camera,
      muted: t.dataset.muted,
      frames: t.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0,
    })),
  );

const tileOf = async (page, who) => (await tiles(page)).find((t) => t.who === who);

test('two people meet, mute, switch the camera off and leave', async () => {
  const ann = await open(`${server.http}/room/tea`);
  const bob = await open(`${server.http}/room/tea`);
  await join(ann, 'Ann');
  await join(bob, 'Bob');
  for (const [page, other] of [[ann, 'bob'], [bob, 'ann']]) {
    const first = await until(`${other}'s picture`, async () => {
      const t = await tileOf(page, other);
      return t?.camera === 'on' && t.frames > 3 && t;
    });
    await until(`${other}'s picture to move`, async () => (await tileOf(page, other)).frames > first.frames + 10);
    assert.equal((await tiles(page)).length, 2);
  }

  await ann.getByTestId('mute-button').click();
  await until('the mute', async () => (await tileOf(bob, 'ann')).muted === 'true');
  await ann.keyboard.press('m');
  await until('the unmute by key', async () => (await tileOf(bob, 'ann')).muted === 'false');
  await bob.getByTestId('camera-button').click();
  await until('the camera to be off', async () => (await tileOf(ann, 'bob')).camera === 'off');
  await bob.getByTestId('camera-button').click();
  await until('the camera to be on again', async () => {
    const t = await tileOf(ann, 'bob');
    return t.camera === 'on' && t.frames > 3;
  });

  await bob.getByTestId('leave-button').click();
  await until('bob to be gone', async () => (await tiles(ann)).length === 1);
  await status(bob, 'disconnected');
  assert.deepEqual(ann.errors, []);
  assert.deepEqual(bob.errors, []);
  await Promise.all([ann.context().close(), bob.context().close()]);
});

test('a lost connection is said, and comes back', async () => {
  const ann = await open(`${server.http}/room/shaky`);
  await join(ann, 'Ann');
  await ann.context().setOffline(true);
  await ann.evaluate(() => window.__sterna.room.simulateScenario('signal-reconnect'));
  await status(ann, 'reconnecting');
  await ann.context().setOffline(false);
  await status(ann, 'connected');
  await ann.context().close();
});

test('nine people fit on the page', async () => {
  const pages = [];
  for (let i = 1; i <= 8; i++) {
    const page = await open(`${server.http}/room/nine`);
    await join(page, `P${i}`);
    await page.getByTestId('camera-button').click(); // nine encoders are too much for the test's machine
    pages.push(page);
  }
  const last = await open(`${server.http}/room/nine`, { viewport: { width: 1024, height: 700 } });
  await join(last, 'P9');
  await until('nine tiles', async () => (await tiles(last)).length === 9);
  const inside = await last.evaluate(() =>
    [...document.querySelectorAll('[data-testid=tile]')].every((t) => {
      const r = t.getBoundingClientRect();
      return r.width > 100 && r.left >= 0 && r.right <= innerWidth && r.top >= 0 && r.bottom <= innerHeight;
    }),
  );
  assert.ok(inside, 'a tile is outside of the window');
  for (const p of [...pages, last]) await p.context().close();
});

test('a phone shows all controls without scrolling sideways', async () => {
  const page = await open(`${server.http}/room/phone`, { viewport: { width: 360, height: 740 }, isMobile: true });
  await join(page, 'Ann');
  const box = await page.getByTestId('leave-button').boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= 360 && box.y + box.height <= 740, JSON.stringify(box));
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360));
  await page.context().close();
});

test('without permission one is told, and may join to listen', async () => {
  const page = await (await chrome.browser.newContext()).newPage();
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('denied', 'NotAllowedError'));
  });
  await page.goto(`${server.http}/room/quiet`);
  await until('the permission text', async () => /permission|allow|blocked/i.test(await page.getByTestId('error').textContent({ timeout: 5000 })));
  await join(page, 'Ann');
  assert.equal((await tileOf(page, 'ann')).camera, 'off');
  await page.context().close();
});

test('without a camera one is told, and may join with the microphone', async () => {
  const page = await (await chrome.browser.newContext()).newPage();
  await page.addInitScript(() => {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (c) =>
      c.video ? Promise.reject(new DOMException('none', 'NotFoundError')) : real(c);
  });
  await page.goto(`${server.http}/room/voice`);
  await until('the camera text', async () => /no camera/i.test(await page.locator('body').textContent()));
  await join(page, 'Ann');
  await until('the own tile', async () => (await tileOf(page, 'ann'))?.muted === 'false');
  assert.equal((await tileOf(page, 'ann')).camera, 'off');
  await page.context().close();
});

test('a server without a relay is warned of before the call, one with a relay is not', async (t) => {
  const title = (page) => page.getByTestId('join-button').getAttribute('title');
  const visit = async (config) => {
    const own = await startServer({ args: ['--dev'], config: { turn: { enabled: false }, ...config } });
    t.after(() => own.stop());
    const page = await open(`${own.http}/room/nat`);
    t.after(() => page.context().close());
    return page;
  };
  const asked = (page) => page.evaluate(() =>
    performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/api/v1/config/webrtc') && e.responseEnd).length);

  const without = await visit({});
  await until('the warning', async () => /warning.*TURN/i.test((await title(without)) ?? ''));
  await join(without, 'Ann');
  await without.getByTestId('leave-button').click();
  await status(without, 'disconnected');
  assert.equal(await asked(without), 1, 'asked once per page load');

  const turn = { turn_urls: ['turn:127.0.0.1:9'], turn_username: 'u', turn_credential: 'c' };
  const relayed = await visit({ webrtc: turn });
  await until('the answer', async () => (await relayed.getByTestId('join-button').getAttribute('data-nat')) === 'relay');
  assert.equal(await title(relayed), null);
});

test('the page works on where the list of ICE servers does not come', async () => {
  const page = await (await chrome.browser.newContext()).newPage();
  await page.route('**/api/v1/config/webrtc', (route) => route.abort());
  await page.goto(`${server.http}/room/stunned`);
  await until('the warning', async () =>
    /warning.*TURN/i.test((await page.getByTestId('join-button').getAttribute('title')) ?? ''));
  await join(page, 'Ann');
  await page.context().close();
});

test('without --dev there is no token for strangers, and the page says how to get one', async (t) => {
  const strict = await startServer();
  t.after(() => strict.stop());
  assert.equal((await fetch(`${strict.http}/dev/token?room=a&name=b`)).status, 404);
  const page = await open(`${strict.http}/room/locked`);
  await page.getByTestId('token-needed').waitFor();
  assert.match(await page.getByTestId('token-needed').textContent(), /sterna token create/);
  assert.ok(await page.getByTestId('join-button').isDisabled());

  const invited = await open(`${strict.http}/room/locked#token=${await strict.token('locked', 'ann-000000')}`);
  assert.ok(!invited.url().includes('token='), 'the token stays in the address bar');
  await invited.getByTestId('join-button').click(); // name and room are the token's
  await status(invited, 'connected');
  await Promise.all([page.context().close(), invited.context().close()]);
});
