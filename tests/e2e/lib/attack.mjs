// Attacks that need a process of their own, so that they slow down nobody but the server:
//   node attack.mjs udp SECONDS PORT,… KIND [UFRAG,…]  datagrams as fast as they go; KIND: see `datagrams`
//   node attack.mjs tcp COUNT PORT                    connections that say nothing, until stdin ends
// Prints one line when it has done its worst.
import { createHmac, randomBytes, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import zlib from 'node:zlib';

const COOKIE = 0x2112a442;

// CRC-32 (IEEE 802.3), where node's zlib has none yet.
const table = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c >>> 0;
});
const crc = zlib.crc32 ?? ((bytes) => (bytes.reduce((c, b) => table[(c ^ b) & 255] ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0);

// A binding request in form (RFC 8489), signed with a password that is not the right one.
export function stun(username, { integrity = true } = {}) {
  const attribute = (type, value) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(value.length, 2);
    return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)]);
  };
  const head = Buffer.alloc(20);
  head.writeUInt16BE(1, 0);
  head.writeUInt32BE(COOKIE, 4);
  randomBytes(12).copy(head, 8);
  let body = Buffer.concat([
    attribute(0x0006, Buffer.from(username)),
    attribute(0x0024, Buffer.from([0x6e, 0x7f, 0x1e, 0xff])), // PRIORITY
    attribute(0x802a, randomBytes(8)), // ICE-CONTROLLING
    attribute(0x0025, Buffer.alloc(0)), // USE-CANDIDATE
  ]);
  const whole = (more) => {
    head.writeUInt16BE(body.length + more, 2);
    return Buffer.concat([head, body]);
  };
  if (integrity) body = Buffer.concat([body, attribute(0x0008, createHmac('sha1', 'wrong').update(whole(24)).digest())]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE((crc(whole(8)) ^ 0x5354554e) >>> 0, 0);
  body = Buffer.concat([body, attribute(0x8028, sum)]);
  return whole(0);
}

function datagrams(kind, ufrags) {
  const any = (n) => randomBytes(randomInt(1, n));
  switch (kind) {
    case 'random':
      return () => any(1400);
    case 'empty':
      return () => Buffer.alloc(0);
    case 'stun': // looks like STUN, is none
      return () => {
        const b = Buffer.concat([Buffer.from([0, 1]), randomBytes(randomInt(18, 200))]);
        b.writeUInt32BE(COOKIE, 4);
        b.writeUInt16BE(randomInt(2) ? (b.length - 20) & ~3 : randomInt(65536), 2);
        return b;
      };
    case 'forged': // the right user name
      return () => stun(ufrags[randomInt(ufrags.length)], { integrity: randomInt(4) > 0 });
    case 'rtp':
      return () => Buffer.concat([Buffer.from([0x80 | randomInt(64), randomInt(256)]), any(1200)]);
    case 'dtls': // a handshake record whose lengths are lies
      return () => Buffer.concat([Buffer.from([20 + randomInt(6), 0xfe, 0xfd]), any(600)]);
    case 'large':
      return () => randomBytes(randomInt(1500, 65000));
    default:
      throw new Error(`no such kind of datagrams: ${kind}`);
  }
}

async function udp(seconds, ports, kind, ufrags) {
  const make = datagrams(kind, ufrags);
  const pool = Array.from({ length: 2000 }, make);
  const sockets = Array.from({ length: 4 }, () => createSocket('udp4'));
  const end = Date.now() + seconds * 1000;
  let sent = 0;
  while (Date.now() < end) {
    // Sends in flight bound the memory of this process.
    await Promise.all(
      Array.from({ length: 256 }, (_, i) =>
        new Promise((resolve) => {
          const n = sent + i;
          sockets[n % sockets.length].send(pool[n % pool.length], ports[n % ports.length], '127.0.0.1', resolve);
        })),
    );
    sent += 256;
  }
  for (const s of sockets) s.close();
  console.log(`sent ${sent}`);
}

async function tcp(count, port) {
  let open = 0;
  let refused = 0;
  const sockets = new Set();
  for (let i = 0; i < count; i += 250) {
    await Promise.all(
      Array.from({ length: Math.min(250, count - i) }, () =>
        new Promise((resolve) => {
          const s = connect(port, '127.0.0.1');
          sockets.add(s);
          s.on('connect', () => {
            open++;
            resolve();
          });
          s.on('data', () => refused++);
          s.on('error', resolve);
          s.on('close', () => {
            sockets.delete(s);
            resolve();
          });
        })),
    );
  }
  console.log(`opened ${open} refused ${refused}`);
  process.stdin.on('end', () => process.exit(0)).resume();
}

const [what, ...args] = process.argv.slice(2);
if (what === 'udp') await udp(Number(args[0]), args[1].split(',').map(Number), args[2], (args[3] ?? '').split(','));
if (what === 'tcp') await tcp(Number(args[0]), Number(args[1]));
