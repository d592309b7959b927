// Debian's coturn tools against the TURN server: each way to reach it, each kind of relaying.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOCAL_PEERS, USER, isCoturn, notCoturn, startTurn, stopAll } from './lib/turnserver.mjs';
import { echoPeer, tool, uclient } from './lib/turnutils.mjs';
import { restCredentials } from './lib/stun.mjs';

const exec = promisify(execFile);
const OAUTH_SERVER = 'blackdow.carleon.gov'; // built into turnutils_uclient, as are the keys below
const OAUTH_KEYS = {
  north: ['A256GCM', 'MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK'],
  union: ['A128GCM', 'MTIzNDU2Nzg5MDEyMzQ1Ngo='],
  oldempire: ['A256GCM', 'MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIK'],
};

const oauthKeys = Object.entries(OAUTH_KEYS).map(([kid, [algorithm, key]]) => ({ kid, key, algorithm }));

// With a wrong password the tool tries 32 times, and never ends if it gets no answer any more.
const patient = ['--turn.auth_failures_per_user=1000'];

let dir;
let peer;
let main; // user and password, IPv4 and IPv6, TLS, mobility; peers on this machine
let rest; // two REST secrets
let dashed; // a REST secret, another separator
let oauth; // tokens, keys from a database
let oauthStatic; // tokens, keys from the configuration
let rough; // what is thrown at it counts as guessed passwords
let guarded; // the peer policy as it is by default
let twoAddresses; // RFC 5780

async function oauthDatabase(file) {
  const schema = `CREATE TABLE oauth_key (kid varchar(128), ikm_key varchar(256), timestamp bigint default 0,
    lifetime integer default 0, as_rs_alg varchar(64) default '', realm varchar(127), primary key (kid));
    CREATE TABLE turnusers_lt (realm varchar(127) default '', name varchar(512), hmackey char(128), PRIMARY KEY (realm,name));
    CREATE TABLE turn_secret (realm varchar(127) default '', value varchar(256), primary key (realm,value));
    CREATE TABLE allowed_peer_ip (realm varchar(127) default '', ip_range varchar(256), primary key (realm,ip_range));
    CREATE TABLE denied_peer_ip (realm varchar(127) default '', ip_range varchar(256), primary key (realm,ip_range));
    CREATE TABLE turn_origin_to_realm (origin varchar(127), realm varchar(127), primary key (origin));
    CREATE TABLE turn_realm_option (realm varchar(127) default '', opt varchar(32), value varchar(128), primary key (realm,opt));
    CREATE TABLE admin_user (name varchar(32), realm varchar(127), password varchar(127), primary key (name));`;
  const rows = Object.entries(OAUTH_KEYS).map(([kid, [alg, key]]) => `INSERT INTO oauth_key VALUES ('${kid}','${key}',0,0,'${alg}','');`);
  await exec('sqlite3', [file, schema + rows.join('')]);
}

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sterna-tools-'));
  const both = ['127.0.0.1', '::1'];
  await oauthDatabase(join(dir, 'oauth.db'));
  peer = await echoPeer();
  [main, rest, dashed, oauth, oauthStatic, rough, guarded, twoAddresses] = await Promise.all([
    startTurn({ options: [...USER, ...LOCAL_PEERS, 'mobility'], hosts: both, tls: true, relayPorts: 400, args: patient }),
    startTurn({ options: ['use-auth-secret', 'static-auth-secret=older', 'static-auth-secret=newer', ...LOCAL_PEERS], args: patient }),
    startTurn({ options: ['use-auth-secret', 'static-auth-secret=dashed', 'rest-api-separator=|', ...LOCAL_PEERS] }),
    startTurn({ options: ['lt-cred-mech', 'oauth', `server-name=${OAUTH_SERVER}`, `userdb=${join(dir, 'oauth.db')}`, ...LOCAL_PEERS] }),
    isCoturn
      ? undefined
      : startTurn({
          options: ['lt-cred-mech', 'oauth', `server-name=${OAUTH_SERVER}`, ...LOCAL_PEERS],
          args: ['--config-body', JSON.stringify({ turn: { oauth_keys: oauthKeys } })],
        }),
    startTurn({ options: [...USER, ...LOCAL_PEERS] }),
    startTurn({ options: USER }),
    startTurn({ options: USER, hosts: ['127.0.0.1', '127.0.0.2'] }),
  ]);
});

after(async () => {
  await Promise.all([stopAll(), peer?.stop()]);
  await rm(dir, { recursive: true, force: true });
});

const ANN = ['-u', 'ann', '-w', 'secret1'];
const toPeer = () => ['-e', '127.0.0.1', '-r', peer.port];

// All that was sent came back.
function complete(r) {
  assert.equal(r.code, 0, r.out);
  assert.ok(r.sent > 0, r.out);
  assert.equal(r.received, r.sent, r.out);
  assert.equal(r.lost, 0, r.out);
}

// Each run takes about five seconds, most of it waiting: they run at the same time.
describe('turnutils_uclient', { concurrency: true }, () => {
  // name: arguments; of these, tls: to the TLS port, v6: to ::1.
  const matrix = {
    'UDP': [],
    'TCP': ['-t'],
    'TLS': ['-t', '-S', { tls: true }],
    'DTLS': ['-S', { tls: true }],
    'TLS on the plain port': ['-t', '-S'],
    'DTLS on the plain port': ['-S'],
    'UDP over IPv6': [{ v6: true }],
    'TCP over IPv6': ['-t', { v6: true }],
    'Send indications': ['-s'],
    'Send indications over TCP': ['-s', '-t'],
    'Send indications over TLS': ['-s', '-t', '-S', { tls: true }],
    'Send indications over DTLS': ['-s', '-S', { tls: true }],
    'an IPv4 relay asked for': ['-X'],
    'an IPv6 relay': ['-x', { v6peer: true }],
    'an IPv6 relay over TCP and IPv6': ['-x', '-t', { v6: true, v6peer: true }],
    'both families': ['-Z'],
    'both families, Send indications': ['-Z', '-s'],
    'no RTCP pair': ['-c'],
    'DONT-FRAGMENT': ['-g'],
    'DONT-FRAGMENT, Send indications': ['-g', '-s'],
    'channel data padded on UDP': ['-D', '-l', '101'],
    'odd lengths over TCP': ['-t', '-l', '103'],
    'mobility': ['-M'],
    'mobility, Send indications': ['-M', '-s'],
    'extra requests': ['-G'],
    'random disconnects': ['-B'],
    'ORIGIN': ['-o', 'https://example.org'],
    'a bandwidth asked for': ['-a', '100000'],
    'large packets': ['-l', '1300', '-n', '30', '-z', '5'],
    'ten clients': ['-m', '10', '-n', '20'],
    'no permissions asked for': ['-I'],
  };
  for (const [name, row] of Object.entries(matrix)) {
    test(name, async () => {
      const how = row.find((a) => typeof a === 'object') ?? {};
      const args = [...row.filter((a) => typeof a !== 'object'), '-e', how.v6peer ? '::1' : '127.0.0.1', '-r', peer.port, ...ANN];
      complete(await uclient(main, args, { port: how.tls ? main.tlsPort : main.port, host: how.v6 ? '::1' : '127.0.0.1' }));
    });
  }

  const betweenClients = {
    'client to client': ['-y'],
    'client to client, Send indications': ['-y', '-s'],
    'client to client over IPv6': ['-y', '-x', { v6: true }],
    'TCP relay': ['-T'],
    'TCP relay over TLS': ['-T', '-S', { tls: true }],
    'TCP relay over IPv6': ['-T', '-x', { v6: true }],
  };
  for (const [name, row] of Object.entries(betweenClients)) {
    test(name, async () => {
      const how = row.find((a) => typeof a === 'object') ?? {};
      const args = [...row.filter((a) => typeof a !== 'object'), ...ANN];
      complete(await uclient(main, args, { port: how.tls ? main.tlsPort : main.port, host: how.v6 ? '::1' : '127.0.0.1' }));
    });
  }

  // By its own number of ADDITIONAL-ADDRESS-FAMILY; the standard's is in turn_codes.
  test('both families are two relayed addresses', notCoturn('says it otherwise'), async () => {
    const server = await startTurn({ options: [...USER, ...LOCAL_PEERS], hosts: ['127.0.0.1', '::1'] });
    complete(await uclient(server, ['-Z', '-c', ...toPeer(), ...ANN]));
    await server.stop();
    assert.match(server.log(), /msg="turn session ended" .*relayed=127\.0\.0\.1:\d+,\[::1\]:\d+ /);
  });

  // Over TLS the tool leaves the last message of each connection unread (with coturn, too).
  test('client to client over TLS', async () => {
    const r = await uclient(main, ['-y', '-t', '-S', '-n', '10', ...ANN], { port: main.tlsPort });
    assert.equal(r.code, 0, r.out);
    assert.equal(r.sent, 40, r.out);
    assert.ok(r.lost <= 4, r.out);
  });

  // Random bytes instead of messages, or clients that are gone at once: the tool fails or not by chance, and may wait for ever.
  test('negative protocol tests and floods do no harm', async () => {
    const some = Array.from({ length: 6 }, (_, i) => [i % 2 ? '-R' : '-O', '-m', '3', ...toPeer(), ...ANN]);
    await Promise.all(some.map((args) => uclient(rough, args, { ms: 6000 })));
    const c = await rough.client({ local: '127.0.0.99' });
    await c.mustAllocate();
    c.close();
  });

  // The tool counts what both ends send, but reads on one of them.
  test('TCP relay to a passive client', async () => {
    const r = await uclient(main, ['-P', ...ANN]);
    assert.equal(r.code, 0, r.out);
    assert.ok(r.received > 0 && r.received >= r.sent / 2, r.out);
  });

  test('mobility over TCP', notCoturn('closes the connection'), async () => {
    complete(await uclient(main, ['-M', '-t', ...toPeer(), ...ANN]));
  });

  test('negative tests: a second channel for a peer is refused', async () => {
    const r = await uclient(main, ['-N', ...toPeer(), ...ANN]);
    assert.deepEqual(r.errors, [400, 400].slice(0, r.errors.length || 1), r.out);
  });

  // The tool tries 32 times, which counts as guessing: see patient.
  test('a wrong password', async () => {
    const r = await uclient(main, ['-L', '127.0.0.71', '-u', 'ann', '-w', 'wrong', ...toPeer()]);
    assert.notEqual(r.code, 0);
    assert.match(r.out, /Cannot complete Allocation/);
  });

  test('an unknown user', async () => {
    const r = await uclient(main, ['-L', '127.0.0.72', '-u', 'nobody', '-w', 'secret1', ...toPeer()]);
    assert.match(r.out, /Cannot complete Allocation/);
  });

  for (const secret of ['older', 'newer']) {
    test(`the ${secret} of two REST secrets`, async () => complete(await uclient(rest, ['-y', '-u', 'ann', '-W', secret])));
  }

  test('a wrong REST secret', async () => {
    assert.match((await uclient(rest, ['-L', '127.0.0.73', '-y', '-u', 'ann', '-W', 'other'])).out, /Cannot complete Allocation/);
  });

  test('REST credentials that have expired', async () => {
    const { user, password } = restCredentials('newer', { ttl: -10 });
    assert.match((await uclient(rest, ['-L', '127.0.0.74', '-y', '-u', user, '-w', password])).out, /Cannot complete Allocation/);
  });

  test('REST credentials with another separator', async () => complete(await uclient(dashed, ['-y', '-u', 'ann', '-W', 'dashed', '-C', '|'])));

  for (const transport of [[], ['-t']]) {
    const how = transport.length ? 'over TCP' : 'over UDP';
    test(`third-party tokens ${how}`, async () => complete(await uclient(oauth, ['-J', ...transport, ...toPeer(), ...ANN])));
    test(`third-party tokens ${how}, keys from the configuration`, notCoturn('has keys in databases only'), async () =>
      complete(await uclient(oauthStatic, ['-J', ...transport, ...toPeer(), ...ANN])));
  }

  test('relay to relay without any rule for peers', notCoturn('refuses its own relay address'), async () => {
    complete(await uclient(guarded, ['-y', ...ANN]));
  });

  test('a denied peer', async () => {
    const r = await uclient(guarded, ['-e', isCoturn ? '127.0.0.1' : '10.0.0.1', '-r', peer.port, ...ANN], { ms: 30000 });
    assert.ok(r.errors.includes(403), r.out);
    assert.equal(r.received, 0);
  });
});

describe('the other tools', { concurrency: true }, () => {
  test('turnutils_stunclient prints our address', async () => {
    for (const [host, shown] of [['127.0.0.1', '127\\.0\\.0\\.1'], ['::1', '::1']]) {
      const { out } = await tool('stunclient', ['-p', main.port, host]);
      assert.match(out, new RegExp(`reflexive addr: (127\\.0\\.0\\.1|${shown}|\\[${shown}\\]):\\d+`), out);
    }
  });

  test('turnutils_natdiscovery, with a second address', async () => {
    const { out } = await tool('natdiscovery', ['-m', '-f', '-H', '-p', twoAddresses.port, '127.0.0.1']);
    assert.match(out, /NAT with Endpoint Independent Mapping!/);
    assert.match(out, /NAT with Endpoint Independent Filtering!/);
    assert.match(out, new RegExp(`Other addr: : 127\\.0\\.0\\.2:${twoAddresses.port + 1}`));
    assert.doesNotMatch(out, /timeout|no response/i);
  });

  test('turnutils_natdiscovery with padding', async () => {
    const { out } = await tool('natdiscovery', ['-m', '-P', '-p', twoAddresses.port, '127.0.0.1']);
    assert.match(out, /NAT with Endpoint Independent Mapping!/);
  });
});
