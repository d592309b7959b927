// The picture that each subscriber wants, and no more of it sent than somebody wants: Chromium on both sides.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startServer, until } from './lib/server.mjs';
import { join, launch, spy } from './lib/browser.mjs';

const PAUSE_S = 2; // until a publisher stops what nobody watches

let server;
let chrome;
let ann; // publishes 720p in three layers
let bob; // watches

before(async () => {
  server = await startServer({ config: { video: { dynacast_pause_delay: `${PAUSE_S}s` } } });
  chrome = await launch();
  [ann, bob] = await Promise.all([chrome.page(), chrome.page()]);
  await Promise.all([spy(ann), spy(bob)]);
  await join(ann, server, await server.token('adaptive', 'ann'));
  await join(bob, server, await server.token('adaptive', 'bob'), { publish: false });
  await until("ann's video", async () => (await picture()).framesDecoded > 5, 20000);
});

after(async () => {
  await chrome?.close();
  await server?.stop();
});

// What bob decodes of ann's camera.
const picture = () =>
  bob.evaluate(async () => {
    const pub = window.room.remoteParticipants.get('ann')?.getTrackPublication('camera');
    const out = { width: 0, height: 0, framesDecoded: 0, packets: 0, freeze: 0, nack: 0, pli: 0, at: performance.now() };
    (await pub?.track?.getRTCStatsReport())?.forEach((s) => {
      if (s.type !== 'inbound-rtp') return;
      Object.assign(out, { width: s.frameWidth ?? 0, height: s.frameHeight ?? 0, framesDecoded: s.framesDecoded ?? 0,
        packets: s.packetsReceived ?? 0, freeze: s.totalFreezesDuration ?? 0, pli: s.pliCount ?? 0 });
    });
    return out;
  });

// What ann sends: bytes and picture by rid, and what her estimator thinks of her uplink.
const sent = () =>
  ann.evaluate(async () => {
    const out = { layers: {}, uplink: 0, pli: 0, nack: 0 };
    for (const pc of window.pcs) {
      (await pc.getStats()).forEach((s) => {
        if (s.type === 'outbound-rtp' && s.kind === 'video') {
          out.layers[s.rid ?? ''] = { bytes: s.bytesSent, frames: s.framesEncoded, active: s.active, width: s.frameWidth };
          out.pli += s.pliCount ?? 0;
          out.nack += s.nackCount ?? 0;
        }
        if (s.type === 'candidate-pair' && s.nominated && s.availableOutgoingBitrate) out.uplink = Math.max(out.uplink, s.availableOutgoingBitrate);
      });
    }
    return out;
  });

const wish = (fn, arg) =>
  bob.evaluate(([fn, arg]) => {
    const pub = window.room.remoteParticipants.get('ann').getTrackPublication('camera');
    pub[fn](arg);
  }, [fn, arg]);

// The picture gets that width, and decoding never pauses for 3 s on the way there nor right after.
async function getsWidth(what, fits, ms = 20000) {
  let last = await picture();
  let since = last.at;
  let longest = 0;
  let frames = 0;
  await until(what, async () => {
    const p = await picture();
    if (p.framesDecoded > last.framesDecoded) {
      if (fits(p.width)) frames += p.framesDecoded - last.framesDecoded;
      since = p.at;
    }
    longest = Math.max(longest, p.at - since);
    last = p;
    return frames > 20;
  }, ms).catch((e) => {
    throw new Error(`${e.message}; the last picture: ${JSON.stringify(last)}`);
  });
  assert.ok(longest < 3000, `${what}: no picture for ${Math.round(longest)} ms`);
  return last;
}

// Frames of a layer that are encoded from now on within a while.
const flows = (rid, more = 5) => async (start) => ((await sent()).layers[rid]?.frames ?? 0) > (start.layers[rid]?.frames ?? 0) + more;

test('the uplink estimate grows until all layers are sent', async () => {
  const all = await until('three layers', async () => {
    const s = await sent();
    return Object.keys(s.layers).length === 3 && Object.values(s.layers).every((l) => l.frames > 5) && s;
  }, 30000);
  assert.deepEqual(Object.keys(all.layers).sort(), ['f', 'h', 'q']);
  // Chromium begins at 300 kbit/s; only transport-wide feedback lets it rise beyond what it sends at first.
  await until('the estimate to pass 1.5 Mbit/s', async () => (await sent()).uplink > 1_500_000, 30000);
  await getsWidth('the full picture', (w) => w === 1280);
  assert.ok((await sent()).pli > 0, 'key frames were asked for');
  assert.ok((await server.metrics()).sterna_pli_out_total > 0);
});

test('quality LOW, MEDIUM and HIGH give the layers, without a stop', async () => {
  await wish('setVideoQuality', 0);
  await getsWidth('the small picture', (w) => w === 320);
  await wish('setVideoQuality', 1);
  await getsWidth('the middle picture', (w) => w === 640);
  await wish('setVideoQuality', 2);
  await getsWidth('the full picture', (w) => w === 1280);
});

test('dimensions give the layer that fills them', async () => {
  await wish('setVideoDimensions', { width: 300, height: 168 });
  await getsWidth('the small picture', (w) => w === 320);
  await wish('setVideoDimensions', { width: 1280, height: 720 });
  await getsWidth('the full picture', (w) => w === 1280);
  await wish('setVideoDimensions', { width: 600, height: 338 });
  await getsWidth('the middle picture', (w) => w === 640);
});

test('what nobody watches is not sent, and comes back at once', async () => {
  await wish('setVideoQuality', 0);
  await getsWidth('the small picture', (w) => w === 320);
  // The upper layers stop after the pause, the small one goes on.
  await until('the upper layers to stop', async () => {
    const { layers } = await sent();
    return !layers.h.active && !layers.f.active && layers.q.active;
  }, (PAUSE_S + 10) * 1000);
  const stopped = await sent();
  await until('more of the small one', () => flows('q', 30)(stopped));
  const later = await sent();
  assert.ok(later.layers.f.frames <= stopped.layers.f.frames + 2, 'the large layer goes on');
  assert.ok(later.layers.h.frames <= stopped.layers.h.frames + 2, 'the middle layer goes on');

  await wish('setVideoQuality', 2);
  await until('the large layer to be sent again', () => flows('f')(later), 5000);
  await getsWidth('the full picture', (w) => w === 1280, 5000);
});

test('a picture that is switched off stops for all, and comes back', async () => {
  await wish('setEnabled', false);
  await until('the picture to stop', async () => {
    const a = await picture();
    const b = await picture();
    await new Promise((r) => setTimeout(r, 500)); // half a second in which nothing may come
    return (await picture()).packets - b.packets <= 2 && b.framesDecoded === a.framesDecoded;
  });
  await until('ann to stop sending', async () => Object.values((await sent()).layers).every((l) => !l.active), (PAUSE_S + 10) * 1000);
  const { framesDecoded } = await picture();
  await wish('setEnabled', true);
  await until('the picture to come back', async () => (await picture()).framesDecoded > framesDecoded + 10, 8000);
  await getsWidth('the full picture', (w) => w === 1280);
});

test('who wants more does not get less because of who wants less', async (t) => {
  const cyd = await chrome.page();
  t.after(() => cyd.context().close());
  await join(cyd, server, await server.token('adaptive', 'cyd'), { publish: false });
  await until("ann's picture at cyd", () =>
    cyd.evaluate(async () => {
      const pub = window.room.remoteParticipants.get('ann')?.getTrackPublication('camera');
      pub?.setVideoQuality(0);
      let width = 0;
      (await pub?.track?.getRTCStatsReport())?.forEach((s) => (width = s.type === 'inbound-rtp' ? s.frameWidth : width));
      return width === 320;
    }), 20000);
  await getsWidth('the full picture at bob', (w) => w === 1280);
  await until('cyd to stay with the small one', () => cyd.evaluate(async () => {
    let width = 0;
    const pub = window.room.remoteParticipants.get('ann').getTrackPublication('camera');
    (await pub.track.getRTCStatsReport()).forEach((s) => (width = s.type === 'inbound-rtp' ? s.frameWidth : width));
    return width === 320;
  }));
  assert.ok((await server.metrics()).sterna_pli_out_total > 0, 'key frames were asked for');
});
