// Chromium pages that run an unmodified livekit-client against a Sterna.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const sdk = fileURLToPath(new URL('../node_modules/livekit-client/dist/livekit-client.umd.js', import.meta.url));

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
];

export async function launch(extra = []) {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: [...FLAGS, ...extra] });
  const html = '<!doctype html><title>e2e</title><script src="/sdk.js"></script><body></body>';
  const source = await readFile(sdk);
  const web = createServer((req, res) => {
    const isSdk = req.url === '/sdk.js';
    res.setHeader('content-type', isSdk ? 'text/javascript' : 'text/html');
    res.end(isSdk ? source : html);
  }).listen(0, '127.0.0.1');
  await once(web, 'listening');
  const origin = `http://127.0.0.1:${web.address().port}`;
  return {
    browser,
    // A page with its own context, and so its own devices and storage.
    async page() {
      const context = await browser.newContext();
      const page = await context.newPage();
      page.on('pageerror', (e) => console.error('page error:', e.message));
      if (process.env.PAGE_LOG) page.on('console', (m) => console.error('page:', m.text()));
      await page.goto(origin);
      return page;
    },
    async close() {
      await browser.close();
      web.close();
    },
  };
}

// Joins a room in the page: window.room is the livekit-client Room, window.events what happened. connect: of Room.connect.
export async function join(page, server, token, { options = {}, connect = {}, publish = true } = {}) {
  await page.evaluate(
    async ({ url, token, options, connect, publish }) => {
      const { Room, RoomEvent, LogLevel, setLogLevel } = window.LivekitClient;
      setLogLevel(LogLevel.warn);
      const room = new Room({ adaptiveStream: false, dynacast: true, ...options });
      window.room = room;
      window.events = [];
      window.data = [];
      for (const name of Object.values(RoomEvent)) room.on(name, () => window.events.push(name));
      room.on(RoomEvent.DataReceived, (payload, from, kind, topic) =>
        window.data.push({ n: payload.length, first: payload[0], last: payload[payload.length - 1], from: from?.identity, topic }),
      );
      room.on(RoomEvent.TrackSubscribed, (track) => document.body.appendChild(track.attach()));
      await room.connect(url, token, connect);
      if (publish) {
        await room.localParticipant.setCameraEnabled(true);
        await room.localParticipant.setMicrophoneEnabled(true);
      }
    },
    { url: server.ws, token, options, connect, publish },
  );
}

// What the page receives from one participant: frames decoded, picture size, audio level.
export async function received(page, identity) {
  return page.evaluate(async (identity) => {
    const p = window.room.remoteParticipants.get(identity);
    const out = { known: !!p, tracks: 0, framesDecoded: 0, width: 0, height: 0, audioEnergy: 0, audioPackets: 0 };
    if (!p) return out;
    for (const pub of p.trackPublications.values()) {
      if (!pub.track) continue;
      out.tracks++;
      const stats = await pub.track.getRTCStatsReport();
      stats?.forEach((s) => {
        if (s.type !== 'inbound-rtp') return;
        if (s.kind === 'video') {
          out.framesDecoded = s.framesDecoded ?? 0;
          out.width = s.frameWidth ?? 0;
          out.height = s.frameHeight ?? 0;
        } else {
          out.audioEnergy = s.totalAudioEnergy ?? 0;
          out.audioPackets = s.packetsReceived ?? 0;
        }
      });
    }
    return out;
  }, identity);
}

// Before join: keeps the page's peer connections in window.pcs and its data channels, by label, in window.channels.
export async function spy(page) {
  await page.evaluate(() => {
    const Original = window.RTCPeerConnection;
    window.pcs = [];
    window.channels = {};
    window.RTCPeerConnection = class extends Original {
      constructor(...args) {
        super(...args);
        window.pcs.push(this);
      }

      createDataChannel(label, options) {
        return (window.channels[label] = super.createDataChannel(label, options));
      }
    };
  });
}
