// A client of the signal protocol without media: what an SDK says to the server, word by word.
import { gzipSync } from 'node:zlib';
import { request } from 'node:http';
import WebSocket from 'ws';
import { JoinRequest, SignalRequest, SignalResponse, WrappedJoinRequest, WrappedJoinRequest_Compression } from '@livekit/protocol';

// base64url with its padding, as SDKs send it.
export const base64url = (bytes) => Buffer.from(bytes).toString('base64').replaceAll('+', '-').replaceAll('/', '_');

export function joinRequest(fields = {}, { gzip = true } = {}) {
  const inner = new JoinRequest({ clientInfo: { sdk: 1, protocol: 17, version: '2.23.0' }, connectionSettings: { autoSubscribe: true }, ...fields }).toBinary();
  return base64url(
    new WrappedJoinRequest({
      compression: gzip ? WrappedJoinRequest_Compression.GZIP : WrappedJoinRequest_Compression.NONE,
      joinRequest: gzip ? gzipSync(inner) : inner,
    }).toBinary(),
  );
}

export const V0 = 'sdk=js&protocol=17&client_protocol=2&version=2.23.0&auto_subscribe=1';

// The answer to a plain GET.
export async function get(server, path, token) {
  const answer = await fetch(`${server.http}${path}`, { headers: token ? { authorization: `Bearer ${token}` } : {} });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

// Status and text with which an upgrade is refused; undefined if it is not.
export function refusal(server, path, token) {
  return new Promise((resolve, reject) => {
    const req = request(`${server.http}${path}`, {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'MDEyMzQ1Njc4OWFiY2RlZg==',
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
    });
    req.on('upgrade', (_, socket) => {
      socket.destroy();
      resolve(undefined);
    });
    req.on('response', (res) => {
      let text = '';
      res.on('data', (d) => (text += d));
      res.on('end', () => resolve({ status: res.statusCode, text }));
    });
    req.on('error', reject);
    req.setTimeout(10000, () => req.destroy(new Error(`no answer to the upgrade of ${path}`)));
    req.end();
  });
}

export class SignalClient {
  messages = []; // all that came, decoded
  closed = null; // {code, reason} once it is
  #waiters = new Set();

  // path: what follows the server's address; json: speak text frames.
  static async open(server, token, { path = `/rtc?${V0}`, json = false, headers = {} } = {}) {
    const c = new SignalClient();
    c.json = json;
    c.ws = new WebSocket(`${server.ws}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } });
    c.ws.binaryType = 'nodebuffer';
    c.ws.on('message', (bytes, isBinary) => {
      c.lastWasBinary = isBinary;
      const m = isBinary
        ? SignalResponse.fromBinary(bytes)
        : SignalResponse.fromJsonString(bytes.toString(), { ignoreUnknownFields: true });
      c.messages.push(m.message);
      for (const w of c.#waiters) w();
    });
    c.ws.on('close', (code, reason) => {
      c.closed = { code, reason: reason.toString() };
      for (const w of c.#waiters) w();
    });
    c.ws.on('error', () => {});
    await new Promise((resolve, reject) => {
      c.ws.once('open', resolve);
      c.ws.once('error', reject);
      c.ws.once('unexpected-response', (_, res) => reject(new Error(`upgrade refused with ${res.statusCode}`)));
    });
    return c;
  }

  // Opens, and waits for the join response.
  static async join(server, token, options) {
    const c = await SignalClient.open(server, token, options);
    c.info = await c.next('join');
    return c;
  }

  send(kind, value) {
    const m = new SignalRequest({ message: { case: kind, value } });
    this.ws.send(this.json ? m.toJsonString() : m.toBinary());
  }

  // Until `fn(messages)` gives something truthy.
  wait(what, fn, ms = 10000) {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = fn(this.messages);
        if (!found && !this.closed) return;
        clearTimeout(timer);
        this.#waiters.delete(check);
        if (found) resolve(found);
        else reject(new Error(`closed with ${this.closed.code} while waiting for ${what}`));
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(check);
        reject(new Error(`timed out waiting for ${what}; came: ${this.messages.map((m) => m.case).join(' ')}`));
      }, ms);
      this.#waiters.add(check);
      check();
    });
  }

  // The first message of that kind that fits.
  next(kind, fits = () => true, ms) {
    return this.wait(`a message ${kind}`, (all) => all.find((m) => m.case === kind && fits(m.value))?.value, ms);
  }

  // A round trip: all that the server had to say before has come when this returns.
  async sync() {
    const stamp = BigInt(Math.floor(Math.random() * 2 ** 50));
    this.send('pingReq', { timestamp: stamp, rtt: 0n });
    await this.next('pongResp', (p) => p.lastPingTimestamp === stamp);
  }

  end(ms = 10000) {
    return this.wait('the end of the connection', () => this.closed, ms);
  }

  // The participant of that identity as last told.
  seen(identity) {
    for (const m of [...this.messages].reverse()) {
      if (m.case !== 'update') continue;
      const p = m.value.participants.find((x) => x.identity === identity);
      if (p) return p;
    }
    return undefined;
  }

  close() {
    this.ws.close();
  }
}
