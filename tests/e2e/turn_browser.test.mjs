// Chromium that may use nothing but relays: a call between two tabs, and a room.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { LOCAL_PEERS, USER, freePorts, isCoturn, makeCertificates, notCoturn, startTurn, stopAll } from './lib/turnserver.mjs';
import { startServer, until } from './lib/server.mjs';
import { join, launch, received, spy } from './lib/browser.mjs';

let chrome;

before(async () => {
  // TURN/TLS is checked like HTTPS; our authority is nobody's.
  chrome = await launch(['--ignore-certificate-errors']);
});

after(() => chrome?.close());

// The local and the remote candidate of the pair in use, of one peer connection or of all in window.pcs.
const pairs = (page) =>
  page.evaluate(async () => {
    const out = [];
    for (const pc of window.pcs) {
      if (pc.connectionState !== 'connected') continue;
      const stats = await pc.getStats();
      stats.forEach((s) => {
        if (s.type !== 'transport' || !s.selectedCandidatePairId) return;
        const pair = stats.get(s.selectedCandidatePairId);
        const [local, remote] = [stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)];
        out.push({
          local: local.candidateType,
          remote: remote.candidateType,
          protocol: local.relayProtocol,
          port: local.port,
          remotePort: remote.port,
          sent: pair.bytesSent,
          received: pair.bytesReceived,
        });
      });
    }
    return out;
  });

// A call between two pages, whose candidates are carried here.
async function callUp(ice) {
  const [a, b] = await Promise.all([chrome.page(), chrome.page()]);
  for (const page of [a, b]) {
    await page.evaluate((ice) => {
      const pc = new RTCPeerConnection(ice);
      window.pcs = [pc];
      window.found = [];
      window.errors = [];
      pc.onicecandidate = (e) => e.candidate && window.found.push(e.candidate.toJSON());
      pc.onicecandidateerror = (e) => window.errors.push(`${e.url} ${e.errorCode} ${e.errorText}`);
      pc.ontrack = (e) => {
        const video = document.createElement('video');
        Object.assign(video, { srcObject: new MediaStream([e.track]), muted: true, autoplay: true });
        document.body.appendChild(video);
      };
    }, ice);
    await page.evaluate(async () => {
      const media = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
      for (const track of media.getTracks()) window.pcs[0].addTrack(track, media);
    });
  }
  const offer = await a.evaluate(async () => {
    await window.pcs[0].setLocalDescription();
    return window.pcs[0].localDescription.toJSON();
  });
  const answer = await b.evaluate(async (offer) => {
    await window.pcs[0].setRemoteDescription(offer);
    await window.pcs[0].setLocalDescription();
    return window.pcs[0].localDescription.toJSON();
  }, offer);
  await a.evaluate((answer) => window.pcs[0].setRemoteDescription(answer), answer);
  const carry = async (from, to) => {
    const found = await from.evaluate(() => window.found.splice(0));
    await to.evaluate(async (found) => {
      for (const c of found) await window.pcs[0].addIceCandidate(c);
    }, found);
  };
  await until('the call', async () => {
    await Promise.all([carry(a, b), carry(b, a)]);
    const [x, y] = await Promise.all([a, b].map((p) => p.evaluate(() => window.pcs[0].connectionState)));
    return x === 'connected' && y === 'connected';
  }, 20000).catch(async (e) => {
    throw new Error(`${e.message}; ${JSON.stringify(await Promise.all([a, b].map((p) => p.evaluate(() => window.errors))))}`);
  });
  return [a, b];
}

const frames = (page) =>
  page.evaluate(async () => {
    let n = 0;
    (await window.pcs[0].getStats()).forEach((s) => (n += (s.type === 'inbound-rtp' && s.framesDecoded) || 0));
    return n;
  });

// Relay at both ends by one of those protocols, and bytes keep flowing both ways.
async function relayed(page, protocols, remote = 'relay') {
  const [first] = await until('a pair', async () => {
    const all = await pairs(page);
    return all.length && all.every((p) => p.received > 1000) && all;
  });
  assert.equal(first.local, 'relay');
  assert.equal(first.remote, remote);
  assert.ok([protocols].flat().includes(first.protocol), `${first.protocol}, not ${protocols}`);
  await until('more bytes', async () => {
    const [now] = await pairs(page);
    return now.sent > first.sent + 5000 && now.received > first.received + 5000;
  });
  return first;
}

describe('a call between two tabs', () => {
  let turn;
  before(async () => {
    turn = await startTurn({ options: [...USER, ...(isCoturn ? LOCAL_PEERS : [])], tls: true });
  });
  after(stopAll);

  const urls = {
    udp: () => `turn:127.0.0.1:${turn.port}?transport=udp`,
    tcp: () => `turn:127.0.0.1:${turn.port}?transport=tcp`,
    tls: () => `turns:localhost:${turn.tlsPort}?transport=tcp`,
  };
  for (const [protocol, url] of Object.entries(urls)) {
    test(`relay to relay over TURN/${protocol.toUpperCase()}`, async () => {
      const [a, b] = await callUp({ iceTransportPolicy: 'relay', iceServers: [{ urls: url(), username: 'ann', credential: 'secret1' }] });
      const [x, y] = [await relayed(a, protocol), await relayed(b, protocol)];
      for (const port of [x.port, x.remotePort, y.port, y.remotePort]) assert.ok(port >= turn.relayFirst && port <= turn.relayLast, `port ${port}`);
      for (const page of [a, b]) {
        const before = await frames(page);
        await until('frames', async () => (await frames(page)) > before + 10);
      }
      await Promise.all([a.close(), b.close()]);
    });
  }

  test('a wrong password: no candidate, error 401', async () => {
    const page = await chrome.page();
    const errors = await page.evaluate(async (url) => {
      const pc = new RTCPeerConnection({ iceTransportPolicy: 'relay', iceServers: [{ urls: url, username: 'ann', credential: 'wrong' }] });
      const out = [];
      pc.onicecandidateerror = (e) => out.push(e.errorCode);
      pc.createDataChannel('x');
      await pc.setLocalDescription();
      await new Promise((done) => (pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done()));
      return out;
    }, urls.udp());
    assert.ok(errors.includes(401), JSON.stringify(errors));
    await page.close();
  });
});

describe('a room', notCoturn('has none'), () => {
  let server;
  let dir;
  let turnPort;

  before(async () => {
    dir = await mkdtemp(path(tmpdir(), 'sterna-turn-room-'));
    const files = await makeCertificates(dir);
    turnPort = await freePorts(2);
    const first = await freePorts(200);
    server = await startServer({
      config: {
        turn: {
          enabled: true,
          domain: 'localhost',
          udp_port: turnPort,
          tls_port: turnPort + 1,
          cert_file: files.cert,
          key_file: files.key,
          bind_addresses: ['127.0.0.1'],
          relay_range_start: first,
          relay_range_end: first + 199,
          users: { ann: 'secret1' },
        },
      },
    });
  });

  after(async () => {
    await server?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const urls = {
    udp: () => `turn:127.0.0.1:${turnPort}?transport=udp`,
    tcp: () => `turn:127.0.0.1:${turnPort}?transport=tcp`,
    tls: () => `turns:localhost:${turnPort + 1}?transport=tcp`,
  };
  // undefined: the list that the server itself hands out.
  const lists = {
    ...Object.fromEntries(Object.entries(urls).map(([p, url]) => [p, () => [{ urls: [url()], username: 'ann', credential: 'secret1' }]])),
    'the server\'s own list': undefined,
  };

  for (const [name, list] of Object.entries(lists)) {
    test(`two tabs see and hear each other, relays only: ${name}`, async () => {
      const [a, b] = await Promise.all([chrome.page(), chrome.page()]);
      const connect = { rtcConfig: { iceTransportPolicy: 'relay', ...(list && { iceServers: list() }) } };
      for (const [page, who] of [[a, 'ann'], [b, 'bob']]) {
        await spy(page);
        await join(page, server, await server.token(`relay-${Object.keys(lists).indexOf(name)}`, who), { connect });
      }
      for (const [page, other] of [[a, 'bob'], [b, 'ann']]) {
        const first = await until(`${other}'s video`, async () => {
          const r = await received(page, other);
          return r.framesDecoded > 5 && r.audioPackets > 20 && r;
        }, 30000);
        await until('more of it', async () => (await received(page, other)).framesDecoded > first.framesDecoded + 10);
        // Which of several ways is quickest is the browser's finding, and differs with the load.
        await relayed(page, list ? name : Object.keys(urls), 'host');
        for (const p of await pairs(page)) assert.equal(p.local, 'relay');
      }
      await Promise.all([a.close(), b.close()]);
    });
  }
});
