// STUN messages (RFC 8489) with the attributes of TURN and its kin, read and written byte by byte for the tests.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';

export const METHOD = {
  binding: 0x001,
  allocate: 0x003,
  refresh: 0x004,
  send: 0x006,
  data: 0x007,
  createPermission: 0x008,
  channelBind: 0x009,
  connect: 0x00a,
  connectionBind: 0x00b,
  connectionAttempt: 0x00c,
};

export const CLASS = { request: 0x000, indication: 0x010, success: 0x100, error: 0x110 };

export const ATTR = {
  mappedAddress: 0x0001,
  changeRequest: 0x0003,
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  channelNumber: 0x000c,
  lifetime: 0x000d,
  xorPeerAddress: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  xorRelayedAddress: 0x0016,
  requestedAddressFamily: 0x0017,
  evenPort: 0x0018,
  requestedTransport: 0x0019,
  dontFragment: 0x001a,
  accessToken: 0x001b,
  messageIntegritySha256: 0x001c,
  passwordAlgorithm: 0x001d,
  userhash: 0x001e,
  xorMappedAddress: 0x0020,
  reservationToken: 0x0022,
  padding: 0x0026,
  responsePort: 0x0027,
  connectionId: 0x002a,
  additionalAddressFamily: 0x8000,
  addressErrorCode: 0x8001,
  passwordAlgorithms: 0x8002,
  icmp: 0x8004,
  software: 0x8022,
  alternateServer: 0x8023,
  fingerprint: 0x8028,
  responseOrigin: 0x802b,
  otherAddress: 0x802c,
  thirdPartyAuthorization: 0x802e,
  mobilityTicket: 0x8030,
};

export const COOKIE = 0x2112a442;
export const UDP = 17;
export const TCP = 6;
export const V4 = 1;
export const V6 = 2;

const XORED = new Set([ATTR.xorMappedAddress, ATTR.xorPeerAddress, ATTR.xorRelayedAddress]);

// The 4 or 16 bytes of an address in any notation.
export function addressBytes(text) {
  if (!isIPv6(text)) return Buffer.from(text.split('.').map(Number));
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted) {
    const [a, b, c, d] = dotted.slice(2).map(Number);
    text = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head, tail] = text.split('::').map((half) => half.split(':').filter(Boolean));
  const groups = tail === undefined ? head : [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
  const out = Buffer.alloc(16);
  groups.forEach((g, i) => out.writeUInt16BE(parseInt(g, 16), 2 * i));
  return out;
}

// The usual text of an address: dotted, or as URLs write IPv6.
export function addressText(bytes) {
  if (bytes.length === 4) return bytes.join('.');
  const groups = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(i).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

// {address, port} as the value of an attribute; with a transaction id it is xored.
export function addressValue({ address, port }, tid) {
  const ip = addressBytes(address);
  const value = Buffer.concat([Buffer.from([0, ip.length === 4 ? V4 : V6, 0, 0]), ip]);
  value.writeUInt16BE(port, 2);
  return tid ? xored(value, tid) : value;
}

function xored(value, tid) {
  const mask = Buffer.alloc(20);
  mask.writeUInt16BE(COOKIE >>> 16, 2);
  mask.writeUInt32BE(COOKIE, 4);
  tid.copy(mask, 8);
  return Buffer.from(value.map((b, i) => b ^ mask[i]));
}

export function readAddress(value, tid) {
  const plain = tid ? xored(value, tid) : value;
  const n = value[1] === V4 ? 4 : 16;
  if (value.length !== 4 + n) throw new Error(`address attribute of ${value.length} bytes, family ${value[1]}`);
  return { address: addressText(plain.subarray(4)), port: plain.readUInt16BE(2) };
}

const u32 = (n) => {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(n >>> 0);
  return b;
};

function valueBytes(type, value, tid) {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === 'string') return Buffer.from(value);
  if (typeof value === 'number') return u32(value);
  if (value instanceof Uint8Array) return Buffer.from(value);
  return addressValue(value, XORED.has(type) ? tid : undefined);
}

function attribute(type, value) {
  const out = Buffer.alloc(4 + ((value.length + 3) & ~3));
  out.writeUInt16BE(type, 0);
  out.writeUInt16BE(value.length, 2);
  value.copy(out, 4);
  return out;
}

// CRC-32 of ISO 3309, as FINGERPRINT uses it. Debian's Node has no zlib.crc32.
const table = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});

function crc32(bytes) {
  let c = 0xffffffff;
  for (const b of bytes) c = table[(c ^ b) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

const HASH = { sha1: [ATTR.messageIntegrity, 20], sha256: [ATTR.messageIntegritySha256, 32] };

// The length field counts up to and including the attribute that is about to be computed (RFC 8489 §14.5, §14.7).
function withLength(bytes, extra) {
  const out = Buffer.from(bytes);
  out.writeUInt16BE(bytes.length - 20 + extra, 2);
  return out;
}

export const newTid = () => randomBytes(12);

// attrs: [type, value] with value a Buffer, text, number (32 bits) or {address, port}. key: adds integrity with that hash.
export function encode({ method, cls = CLASS.request, tid = newTid(), attrs = [], key, hash = 'sha1', fingerprint = false }) {
  const header = Buffer.alloc(20);
  header.writeUInt16BE((method & 0xf) | ((method & 0x70) << 1) | ((method & 0xf80) << 2) | cls, 0);
  header.writeUInt32BE(COOKIE, 4);
  tid.copy(header, 8);
  let out = Buffer.concat([header, ...attrs.map(([type, value]) => attribute(type, valueBytes(type, value, tid)))]);
  if (key) {
    const [type, n] = HASH[hash];
    const mac = createHmac(hash, key).update(withLength(out, 4 + n)).digest();
    out = Buffer.concat([out, attribute(type, mac)]);
  }
  if (fingerprint) out = Buffer.concat([out, attribute(ATTR.fingerprint, u32(crc32(withLength(out, 8)) ^ 0x5354554e))]);
  return withLength(out, 0);
}

export class Message {
  constructor(bytes) {
    this.bytes = Buffer.from(bytes);
    if (bytes.length < 20 || bytes.readUInt32BE(4) !== COOKIE) throw new Error(`no STUN message: ${bytes.toString('hex')}`);
    if (bytes.readUInt16BE(2) + 20 !== bytes.length) throw new Error(`STUN length ${bytes.readUInt16BE(2)} of ${bytes.length}`);
    const type = bytes.readUInt16BE(0);
    this.cls = type & 0x110;
    this.method = (type & 0xf) | ((type & 0xe0) >> 1) | ((type & 0x3e00) >> 2);
    this.tid = this.bytes.subarray(8, 20);
    this.attrs = [];
    for (let at = 20; at < bytes.length; ) {
      const n = bytes.readUInt16BE(at + 2);
      const end = at + 4 + ((n + 3) & ~3);
      if (end > bytes.length) throw new Error('attribute past the end');
      this.attrs.push({ type: bytes.readUInt16BE(at), value: this.bytes.subarray(at + 4, at + 4 + n), at });
      if (this.bytes.subarray(at + 4 + n, end).some((b) => b)) throw new Error(`padding is not zero: ${bytes.toString('hex')}`);
      at = end;
    }
  }

  has(type) {
    return this.attrs.some((a) => a.type === type);
  }

  get(type) {
    return this.attrs.find((a) => a.type === type)?.value;
  }

  all(type) {
    return this.attrs.filter((a) => a.type === type).map((a) => a.value);
  }

  text(type) {
    return this.get(type)?.toString();
  }

  number(type) {
    return this.get(type)?.readUInt32BE(0);
  }

  address(type) {
    const value = this.get(type);
    return value && readAddress(value, XORED.has(type) ? this.tid : undefined);
  }

  addresses(type) {
    return this.all(type).map((value) => readAddress(value, XORED.has(type) ? this.tid : undefined));
  }

  get isSuccess() {
    return this.cls === CLASS.success;
  }

  // 0 for a success, else the error's number.
  get code() {
    if (this.isSuccess) return 0;
    const e = this.get(ATTR.errorCode);
    return e ? e[2] * 100 + e[3] : -1;
  }

  get reason() {
    return this.get(ATTR.errorCode)?.subarray(4).toString();
  }

  // Whether the integrity attribute of that hash is there and right.
  verify(key, hash = 'sha1') {
    const [type] = HASH[hash];
    const mac = this.attrs.find((a) => a.type === type);
    if (!mac) return false;
    const head = this.bytes.subarray(0, mac.at);
    const want = createHmac(hash, key).update(withLength(head, 4 + mac.value.length)).digest();
    return want.subarray(0, mac.value.length).equals(mac.value);
  }

  get fingerprintIsRight() {
    const last = this.attrs.at(-1);
    if (last?.type !== ATTR.fingerprint) return false;
    return last.value.readUInt32BE(0) === ((crc32(withLength(this.bytes.subarray(0, last.at), 8)) ^ 0x5354554e) >>> 0);
  }
}

export const isStun = (bytes) => bytes.length >= 20 && bytes[0] < 4;

export const longTermKey = (user, realm, password, hash = 'md5') => createHash(hash).update(`${user}:${realm}:${password}`).digest();
export const userhash = (user, realm) => createHash('sha256').update(`${user}:${realm}`).digest();

// coturn's REST credentials: the name says until when, the password proves it.
export function restCredentials(secret, { name = 'e2e', ttl = 3600, separator = ':' } = {}) {
  const user = `${Math.floor(Date.now() / 1000) + ttl}${name ? separator + name : ''}`;
  return { user, password: createHmac('sha1', secret).update(user).digest('base64') };
}
