// Participants of @livekit/rtc-node, as it comes from npm.
import { once } from 'node:events';
import { AudioFrame, AudioSource, AudioStream, LocalAudioTrack, Room, RoomEvent, TrackPublishOptions, TrackSource } from '@livekit/rtc-node';

const RATE = 48000;
const FRAME = RATE / 100; // 10 ms

// Joins; what arrives is kept in room.data, and the names of events in room.events.
export async function joinNode(server, name, identity, grants = {}, options = {}) {
  const room = new Room();
  room.data = [];
  room.events = [];
  for (const event of Object.values(RoomEvent)) room.on(event, () => room.events.push(event));
  room.on(RoomEvent.DataReceived, (payload, from, kind, topic) => room.data.push({ payload, from: from?.identity, kind, topic }));
  await room.connect(server.ws, await server.token(name, identity, grants), { autoSubscribe: true, dynacast: true, ...options });
  return room;
}

// The next event of that name; register before what causes it.
export async function nextEvent(room, event, ms = 10000) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), ms);
  try {
    return await once(room, event, { signal: limit.signal });
  } catch (e) {
    throw e.name === 'AbortError' ? new Error(`timed out waiting for the event ${event}`) : e;
  } finally {
    clearTimeout(timer);
  }
}

// A microphone that hums: a sine of `hz` at `amplitude` (of 32767) until stop().
export async function publishTone(room, { hz = 440, amplitude = 8000 } = {}) {
  const source = new AudioSource(RATE, 1, 200);
  const track = LocalAudioTrack.createAudioTrack('tone', source);
  const options = new TrackPublishOptions();
  options.source = TrackSource.SOURCE_MICROPHONE;
  const publication = await room.localParticipant.publishTrack(track, options);
  let running = true;
  const done = (async () => {
    for (let at = 0; running; at += FRAME) {
      const samples = new Int16Array(FRAME);
      for (let i = 0; i < FRAME; i++) samples[i] = Math.round(amplitude * Math.sin((2 * Math.PI * hz * (at + i)) / RATE));
      await source.captureFrame(new AudioFrame(samples, RATE, 1, FRAME)); // waits while 200 ms are queued
    }
  })();
  return {
    publication,
    async stop() {
      running = false;
      await done;
      await track.close();
    },
  };
}

// Goertzel: the share of a signal's energy within about 1 / its length of `hz`.
export function toneShare(samples, hz, rate = RATE) {
  const k = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let s1 = 0;
  let s2 = 0;
  let energy = 0;
  for (const x of samples) {
    const s0 = x + k * s1 - s2;
    s2 = s1;
    s1 = s0;
    energy += x * x;
  }
  const power = s1 * s1 + s2 * s2 - k * s1 * s2;
  return energy ? (2 * power) / (samples.length * energy) : 0;
}

// Listens until `wanted` says that a window of 100 ms is what it wants to hear; gives that window's figures.
export async function listen(track, hz, wanted, ms = 15000) {
  const stream = new AudioStream(track, RATE, 1);
  const reader = stream.getReader();
  const end = Date.now() + ms;
  let window = [];
  let last = null;
  try {
    while (Date.now() < end) {
      let timer;
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no audio frames; the last window: ${JSON.stringify(last)}`)), end - Date.now());
      });
      const { value, done } = await Promise.race([reader.read(), late]).finally(() => clearTimeout(timer));
      if (done) throw new Error('the audio stream ended');
      window.push(...value.data);
      if (window.length < RATE / 10) continue;
      const rms = Math.sqrt(window.reduce((sum, x) => sum + x * x, 0) / window.length);
      last = { share: toneShare(window, hz), rms };
      if (wanted(last)) return last;
      window = [];
    }
    throw new Error(`not heard within ${ms} ms; the last window: ${JSON.stringify(last)}`);
  } finally {
    await reader.cancel();
  }
}
