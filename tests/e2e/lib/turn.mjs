// A small TURN client (RFC 8656, 6062, 8016, 5780) over UDP, TCP and TLS, for tests that look at every byte of an answer.
import { createSocket } from 'node:dgram';
import { connect as tcpConnect, isIPv6 } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { once } from 'node:events';
import { ATTR, CLASS, METHOD, Message, UDP, V6, encode, isStun, longTermKey, newTid, userhash } from './stun.mjs';

const RTO_MS = 700; // longer than on the Internet: the machine may be busy with other things

class UdpWire {
  constructor(host, port, { local, localPort } = {}) {
    this.isStream = false;
    this.host = host;
    this.port = port;
    this.local = local;
    this.localPort = localPort ?? 0;
  }

  async open(onPacket) {
    this.socket = createSocket(isIPv6(this.host) ? 'udp6' : 'udp4');
    this.socket.on('message', (bytes, from) => onPacket(bytes, { address: from.address, port: from.port }));
    this.socket.on('error', () => {}); // ICMP of a server that is gone
    this.socket.bind(this.localPort, this.local ?? (isIPv6(this.host) ? '::1' : '127.0.0.1'));
    await once(this.socket, 'listening');
    const { address, port } = this.socket.address();
    this.at = { address, port };
  }

  send(bytes, to) {
    this.socket.send(bytes, to?.port ?? this.port, to?.address ?? this.host);
  }

  close() {
    this.socket.close();
  }
}

class StreamWire {
  constructor(host, port, { local, tls, prologue } = {}) {
    this.isStream = true;
    this.options = { host, port, localAddress: local };
    this.tls = tls;
    this.prologue = prologue; // bytes before all others: a PROXY header
    this.rest = Buffer.alloc(0);
    this.isClosed = false;
    this.raw = null; // after ConnectionBind: a function that takes the peer's bytes
  }

  async open(onPacket) {
    this.onPacket = onPacket;
    this.socket = this.tls ? tlsConnect({ rejectUnauthorized: false, ...this.options, ...this.tls }) : tcpConnect(this.options);
    this.socket.on('close', () => (this.isClosed = true));
    const failed = new Promise((_, reject) => this.socket.once('error', reject));
    await Promise.race([once(this.socket, this.tls ? 'secureConnect' : 'connect'), failed]);
    failed.catch(() => {});
    this.socket.on('error', () => {});
    this.socket.setNoDelay?.(true);
    this.at = { address: this.socket.localAddress, port: this.socket.localPort };
    if (this.prologue) this.socket.write(this.prologue);
    this.socket.on('data', (bytes) => this.take(bytes));
  }

  take(bytes) {
    this.rest = Buffer.concat([this.rest, bytes]);
    while (!this.raw && this.rest.length >= 4) {
      const n = this.rest.readUInt16BE(2);
      const whole = this.rest[0] < 4 ? 20 + n : 4 + ((n + 3) & ~3);
      if (this.rest.length < whole) return;
      const packet = this.rest.subarray(0, this.rest[0] < 4 ? whole : 4 + n);
      if (this.rest[0] >= 4 && this.rest.subarray(4 + n, whole).some((b) => b)) this.hasDirtyPadding = true;
      this.rest = this.rest.subarray(whole);
      this.onPacket(packet);
    }
    if (this.raw && this.rest.length) {
      this.raw(this.rest);
      this.rest = Buffer.alloc(0);
    }
  }

  send(bytes) {
    this.socket.write(bytes);
  }

  close() {
    this.socket.destroy();
  }
}

export class TurnClient {
  indications = []; // Messages that came unasked
  data = []; // {bytes, from} by Data indications, {bytes, channel} by ChannelData
  attempts = []; // ConnectionAttempt indications
  faults = []; // what no server may send; see check()
  #pending = new Map(); // transaction id → function
  #waiters = new Set();

  // options: transport, host, port, user, password, hash ('sha1' | 'sha256'), keyHash ('md5' | 'sha256'), hideUser (USERHASH),
  // local, tls, prologue.
  constructor(options) {
    Object.assign(this, { transport: 'udp', hash: 'sha1', keyHash: 'md5', ...options });
    this.packets = 0;
    this.bytesIn = 0;
  }

  static async open(options) {
    const client = new TurnClient(options);
    await client.connect();
    return client;
  }

  async connect() {
    const { host, port, local, localPort, prologue } = this;
    this.wire =
      this.transport === 'udp'
        ? new UdpWire(host, port, { local, localPort })
        : new StreamWire(host, port, { local, prologue, tls: this.transport === 'tls' ? (this.tls ?? {}) : undefined });
    await this.wire.open((bytes, from) => {
      try {
        this.#onPacket(bytes, from);
      } catch (e) {
        this.faults.push(e.message);
      }
    });
  }

  // Throws if anything that came was malformed, or had padding that is not zero.
  check() {
    if (this.wire?.hasDirtyPadding) this.faults.push('padding of ChannelData is not zero');
    if (this.faults.length) throw new Error(this.faults.join('\n'));
  }

  // Goes on from another port, as a phone does that changes networks.
  async move(changes = {}) {
    this.wire.close();
    Object.assign(this, changes);
    await this.connect();
  }

  close() {
    this.wire?.close();
  }

  get key() {
    return longTermKey(this.user, this.realm, this.password, this.keyHash);
  }

  #onPacket(bytes, from) {
    this.packets++;
    this.bytesIn += bytes.length;
    if (!isStun(bytes)) {
      this.data.push({ channel: bytes.readUInt16BE(0), bytes: bytes.subarray(4, 4 + bytes.readUInt16BE(2)) });
    } else {
      const m = new Message(bytes);
      m.source = from;
      if (m.cls !== CLASS.indication) {
        this.#pending.get(m.tid.toString('hex'))?.(m);
      } else {
        this.indications.push(m);
        if (m.method === METHOD.data && m.has(ATTR.data)) {
          this.data.push({ from: m.address(ATTR.xorPeerAddress), bytes: m.get(ATTR.data) });
        }
        if (m.method === METHOD.connectionAttempt) this.attempts.push(m);
      }
    }
    for (const look of [...this.#waiters]) look();
  }

  // Waits for the first thing that find() gives out of what has come and what will.
  wait(what, find, ms = 10000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => done(reject, new Error(`timed out waiting for ${what}`)), ms);
      const done = (fn, value) => {
        clearTimeout(timer);
        this.#waiters.delete(look);
        fn(value);
      };
      const look = () => {
        const found = find();
        if (found) done(resolve, found);
      };
      this.#waiters.add(look);
      look();
    });
  }

  // Sends these bytes and gives the answer; over UDP it asks again until one comes, or only once.
  exchange(bytes, { ms = 8000, once = false, to } = {}) {
    const tid = bytes.subarray(8, 20).toString('hex');
    return new Promise((resolve, reject) => {
      let again;
      const timer = setTimeout(() => finish(() => reject(new Error(`no answer to method ${bytes[1]}`))), ms);
      const finish = (fn) => {
        clearTimeout(timer);
        clearInterval(again);
        this.#pending.delete(tid);
        fn();
      };
      this.#pending.set(tid, (m) => finish(() => resolve(m)));
      this.wire.send(bytes, to);
      if (!this.wire.isStream && !once) again = setInterval(() => this.wire.send(bytes, to), RTO_MS);
    });
  }

  // What proves who we are, once the server has told its realm and a nonce.
  credentials() {
    const who = this.hideUser ? [ATTR.userhash, userhash(this.user, this.realm)] : [ATTR.username, this.user];
    const out = [who, [ATTR.realm, this.realm], [ATTR.nonce, this.nonce]];
    if (this.keyHash === 'sha256' || this.sendAlgorithms) {
      const algorithm = Buffer.from([0, this.keyHash === 'sha256' ? 2 : 1, 0, 0]);
      out.push([ATTR.passwordAlgorithms, this.algorithms], [ATTR.passwordAlgorithm, algorithm]);
    }
    return out;
  }

  // One request with credentials, and its answer as it is. `bytes` of the request stay in this.last, to send them again.
  request(method, attrs = [], options = {}) {
    const tid = options.tid ?? newTid();
    const sent = this.nonce && !options.anonymous;
    this.last = encode({
      method,
      tid,
      attrs: sent ? [...attrs, ...this.credentials()] : attrs,
      key: sent ? this.key : undefined,
      hash: this.hash,
      fingerprint: options.fingerprint,
    });
    return this.exchange(this.last, options);
  }

  learn(m) {
    this.realm = m.text(ATTR.realm) ?? this.realm;
    this.nonce = m.get(ATTR.nonce) ?? this.nonce;
    this.algorithms = m.get(ATTR.passwordAlgorithms) ?? this.algorithms;
  }

  // As a good client: answers the first challenge, and takes up a new nonce once.
  async call(method, attrs = [], options = {}) {
    if (!this.nonce) {
      const challenge = await this.request(method, attrs, options);
      if (challenge.code !== 401) return challenge;
      this.learn(challenge);
    }
    let m = await this.request(method, attrs, options);
    if (m.code === 438) {
      this.learn(m);
      m = await this.request(method, attrs, options);
    }
    if (m.isSuccess && !m.verify(this.key, this.hash)) throw new Error(`answer to ${method} without integrity: ${m.bytes.toString('hex')}`);
    return m;
  }

  // family: V4, V6 or 'dual'; transport: UDP or TCP; more: further attributes.
  async allocate({ transport = UDP, family, lifetime, more = [], ...options } = {}) {
    const attrs = [[ATTR.requestedTransport, Buffer.from([transport, 0, 0, 0])]];
    if (family === 'dual') attrs.push([ATTR.additionalAddressFamily, Buffer.from([V6, 0, 0, 0])]);
    else if (family) attrs.push([ATTR.requestedAddressFamily, Buffer.from([family, 0, 0, 0])]);
    if (lifetime !== undefined) attrs.push([ATTR.lifetime, lifetime]);
    const m = await this.call(METHOD.allocate, [...attrs, ...more], options);
    if (m.isSuccess) {
      this.relayed = m.addresses(ATTR.xorRelayedAddress);
      this.mapped = m.address(ATTR.xorMappedAddress);
      this.ticket = m.get(ATTR.mobilityTicket);
    }
    return m;
  }

  async mustAllocate(options) {
    const m = await this.allocate(options);
    if (!m.isSuccess) throw new Error(`Allocate: ${m.code} ${m.reason}`);
    return this;
  }

  refresh(lifetime, more = []) {
    return this.call(METHOD.refresh, [...(lifetime === undefined ? [] : [[ATTR.lifetime, lifetime]]), ...more]);
  }

  permit(...addresses) {
    return this.call(METHOD.createPermission, addresses.map((address) => [ATTR.xorPeerAddress, { address, port: 0 }]));
  }

  bind(channel, peer) {
    const number = Buffer.alloc(4);
    number.writeUInt16BE(channel, 0);
    return this.call(METHOD.channelBind, [[ATTR.channelNumber, number], [ATTR.xorPeerAddress, peer]]);
  }

  connectPeer(peer, options) {
    return this.call(METHOD.connect, [[ATTR.xorPeerAddress, peer]], options);
  }

  // Indications and ChannelData: no answer is due.
  send(peer, bytes, more = []) {
    this.wire.send(encode({ method: METHOD.send, cls: CLASS.indication, attrs: [[ATTR.xorPeerAddress, peer], [ATTR.data, Buffer.from(bytes)], ...more] }));
  }

  sendChannel(channel, bytes) {
    const n = Buffer.byteLength(bytes);
    const out = Buffer.alloc(4 + (this.wire.isStream ? (n + 3) & ~3 : n));
    out.writeUInt16BE(channel, 0);
    out.writeUInt16BE(n, 2);
    Buffer.from(bytes).copy(out, 4);
    this.wire.send(out);
  }

  // The next piece of data that fits; it is taken out of this.data.
  receive(fits = () => true, ms) {
    return this.wait('data', () => {
      const i = this.data.findIndex(fits);
      return i < 0 ? undefined : this.data.splice(i, 1)[0];
    }, ms);
  }

  // RFC 6062: a second connection that becomes the peer's byte stream. {wire, received(), write(bytes), close()}
  async bindConnection(id) {
    const side = new TurnClient({ ...this.identity(), transport: this.transport });
    await side.connect();
    const answer = await side.call(METHOD.connectionBind, [[ATTR.connectionId, id]]);
    let got = Buffer.alloc(0);
    if (answer.isSuccess) {
      side.wire.raw = (bytes) => {
        got = Buffer.concat([got, bytes]);
        for (const look of [...side.#waiters]) look();
      };
      side.wire.take(Buffer.alloc(0));
    }
    return {
      answer,
      wire: side.wire,
      write: (bytes) => side.wire.send(bytes),
      received: (n) => side.wait(`${n} bytes from the peer`, () => got.length >= n && got),
      close: () => side.close(),
    };
  }

  // All that another client of the same user and server needs.
  identity() {
    const { host, port, user, password, hash, keyHash, hideUser, sendAlgorithms, tls, local, realm, nonce, algorithms } = this;
    return { host, port, user, password, hash, keyHash, hideUser, sendAlgorithms, tls, local, realm, nonce, algorithms };
  }
}

// A UDP socket that keeps what it gets; with echo, it answers.
export async function udpPeer({ address = '127.0.0.1', port = 0, echo = false } = {}) {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', ipv6Only: false });
  const got = [];
  const waiters = new Set();
  socket.on('message', (bytes, from) => {
    got.push({ bytes, from: { address: from.address, port: from.port } });
    if (echo) socket.send(bytes, from.port, from.address);
    for (const look of [...waiters]) look();
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  return {
    address,
    port: socket.address().port,
    got,
    send: (bytes, to) => socket.send(bytes, to.port, to.address),
    receive(what, fits = () => true, ms = 10000) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiters.delete(look);
          reject(new Error(`timed out waiting for ${what}`));
        }, ms);
        const look = () => {
          const found = got.find((p) => fits(p.bytes, p.from));
          if (!found) return;
          clearTimeout(timer);
          waiters.delete(look);
          resolve(found);
        };
        waiters.add(look);
        look();
      });
    },
    close: () => socket.close(),
  };
}
