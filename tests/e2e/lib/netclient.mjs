// What turn_net.test.mjs has done in the client's network namespace: node netclient.mjs SCENARIO JSON; the result is JSON.
import { TurnClient } from './turn.mjs';
import { ATTR, METHOD, UDP, V6 } from './stun.mjs';

const ICMP = 0x8004;
const DONT_FRAGMENT = 0x001a;

const open = (host, port) => TurnClient.open({ host, port, user: 'ann', password: 'secret1', local: host.includes(':') ? '::' : '0.0.0.0' });

async function bound(host, port, peer, options) {
  const c = await (await open(host, port)).mustAllocate(options);
  const { code } = await c.bind(0x4000, peer);
  if (code) throw new Error(`ChannelBind: ${code}`);
  return c;
}

// The first Data indication with an ICMP attribute that send() brings: about which peer, type, code, data.
async function icmp(c, send) {
  c.indications.length = 0;
  send();
  const m = await c.wait('an ICMP error', () => c.indications.find((i) => i.has(ICMP)));
  const value = m.get(ICMP);
  const both = value.readUInt16BE(2); // 7 bits of type, 9 of code
  return { ...m.address(ATTR.xorPeerAddress), type: both >> 9, code: both & 0x1ff, data: value.readUInt32BE(4) };
}

const scenarios = {
  // From where the answers came, and where the relayed addresses are, of some clients.
  async allocate({ host, port, family, n }) {
    const out = [];
    for (let i = 0; i < n; i++) {
      const c = await open(host, port);
      const { source } = await c.allocate({ family });
      out.push({ source: source.address, relayed: c.relayed?.[0].address, mapped: c.mapped?.address });
      await c.refresh(0);
      c.close();
    }
    return out;
  },

  // To the echoing peer and back.
  async echo({ host, port, peer }) {
    const c = await bound(host, port, peer);
    c.sendChannel(0x4000, 'there and back');
    const { bytes } = await c.receive();
    return { relayed: c.relayed[0], echo: bytes.toString() };
  },

  // Two clients, each by the other's relayed address.
  async pair({ host, port }) {
    const [a, b] = await Promise.all([open(host, port), open(host, port)]);
    await Promise.all([a.mustAllocate(), b.mustAllocate()]);
    await Promise.all([a.bind(0x4000, b.relayed[0]), b.bind(0x4000, a.relayed[0])]);
    a.sendChannel(0x4000, 'from a');
    const there = (await b.receive()).bytes.toString();
    b.sendChannel(0x4000, 'from b');
    return { a: a.relayed[0], b: b.relayed[0], there, back: (await a.receive()).bytes.toString() };
  },

  // A port pair over IPv6: the reservation's token is all that the second client says.
  async reserved({ host, port }) {
    const [a, b] = await Promise.all([open(host, port), open(host, port)]);
    const first = await a.allocate({ family: V6, more: [[ATTR.evenPort, Buffer.from([0x80])]] });
    if (!first.isSuccess) return { code: first.code };
    const second = await b.call(METHOD.allocate, [
      [ATTR.requestedTransport, Buffer.from([UDP, 0, 0, 0])], [ATTR.reservationToken, first.get(ATTR.reservationToken)],
    ]);
    return { code: second.code, even: a.relayed[0], odd: second.isSuccess && second.address(ATTR.xorRelayedAddress) };
  },

  async icmp({ host, port, peer, family }) {
    const c = await bound(host, port, peer, { family });
    const closed = await icmp(c, () => c.send({ ...peer, port: 9 }, 'x'));
    const big = () => c.send(peer, Buffer.alloc(1400), [[DONT_FRAGMENT, Buffer.alloc(0)]]);
    const byRouter = await icmp(c, big);
    return { closed, byRouter, byKernel: await icmp(c, big) }; // now the kernel knows the path's MTU
  },

  // Bursts, which go out as one call with GSO where the path takes that.
  async bursts({ host, port, peer, family, sizes, n }) {
    const c = await bound(host, port, peer, { family });
    const out = {};
    for (const size of sizes) {
      for (let i = 0; i < n; i++) c.sendChannel(0x4000, Buffer.alloc(size, i));
      const seen = new Set();
      while (seen.size < n) seen.add((await c.receive((d) => d.bytes.length === size)).bytes[0]);
      out[size] = seen.size;
    }
    c.check();
    return out;
  },
};

const [name, options] = process.argv.slice(2);
try {
  process.stdout.write(JSON.stringify(await scenarios[name](JSON.parse(options))));
  process.exit(0);
} catch (e) {
  process.stderr.write(`${e.stack}\n`);
  process.exit(1);
}
