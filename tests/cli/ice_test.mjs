/*
 * The ICE servers that a whole server tells, from each way to configure them: node ice_test.mjs path/to/sterna
 */
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import dgram from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const sterna = process.argv[2];
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'sterna-ice-'));
const STUN = { urls: ['stun:h:3478'] };
const TURN = { urls: ['turn:h:3478', 'turns:h:5349'], username: 'u', credential: 'c' };
// No setting of the machine this runs on must leak in.
const clean = Object.fromEntries(Object.entries(process.env).filter(([k]) => !/^(LIVEKIT_|WEBRTC_|NODE_IP$|UDP_PORT$|REDIS_)/.test(k)));

function check(got, want, what) {
	const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
	if (a !== b)
		throw new Error(`${what}: got ${a}, want ${b}`);
}

const freeTcp = () => new Promise((yes) => {
	const s = net.createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => yes(port)); });
});
const freeUdp = () => new Promise((yes) => {
	const s = dgram.createSocket('udp4').bind(0, () => { const { port } = s.address(); s.close(() => yes(port)); });
});

async function until(what, fn) {
	for (const end = Date.now() + 30000; Date.now() < end; await new Promise((r) => setTimeout(r, 20)))
		if (await fn())
			return;
	throw new Error(`timed out waiting for ${what}`);
}

/* Runs a server with this configuration and environment while `test` looks at it. */
async function serve({ config = {}, env = {} }, test) {
	const port = await freeTcp(), file = path.join(work, 'sterna.yaml');
	const base = {
		port, bind_addresses: ['127.0.0.1'], keys: { key: 'a-secret-of-more-than-32-characters' },
		rtc: { udp_port: await freeUdp(), workers: 1, enable_loopback_candidate: true },
		limit: { ice_requests_per_minute: 0 },
	};
	const write = (more) => fs.writeFileSync(file, JSON.stringify({ ...base, ...more, rtc: { ...base.rtc, ...more.rtc } }), { mode: 0o600 });
	write(config);
	const child = spawn(sterna, ['serve', '--config', file], { env: { ...clean, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
	const exited = new Promise((yes) => child.on('exit', (code) => yes(code)));
	let log = '', relay;
	child.stderr.on('data', (d) => { log += d; });
	try {
		await until('the start', () => {
			if (child.exitCode !== null)
				throw new Error('the server ended');
			return /msg=ready|"ready"|\bready\b/.test(log);
		});
		await test({
			log: () => log,
			relay: () => relay,
			raw: async () => {
				const r = await fetch(`http://127.0.0.1:${port}/api/v1/config/webrtc`);
				check([r.status, r.headers.get('content-type'), r.headers.get('cache-control')], [200, 'application/json', 'no-store'], 'headers');
				relay = r.headers.get('sterna-relay');
				return r.text();
			},
			reload: async (more) => {
				const before = log.split('reload done').length;
				write(more);
				child.kill('SIGHUP');
				await until('the reload', () => log.split('reload done').length > before);
			},
		});
	} catch (e) {
		e.message += `\n${log}`;
		throw e;
	} finally {
		child.kill('SIGINT');
		check(await exited, 0, 'exit code');
	}
}

/* [what, environment, webrtc section, list, what the start warns of] */
const rows = [
	['1: nothing', {}, {}, []],
	['2: STUN', { STUN_URLS: 'stun:h:3478' }, { stun_urls: ['stun:h:3478'] }, [STUN]],
	['3: both', { STUN_URLS: ' stun:h:3478 ,', TURN_URLS: 'turn:h:3478, ,turns:h:5349', TURN_USERNAME: 'u', TURN_CREDENTIAL: 'c' },
		{ stun_urls: ['stun:h:3478'], turn_urls: TURN.urls, turn_username: 'u', turn_credential: 'c' }, [STUN, TURN]],
	['4: URLs without credentials', { STUN_URLS: 'stun:h:3478', TURN_URLS: 'turn:h:3478' },
		{ stun_urls: ['stun:h:3478'], turn_urls: ['turn:h:3478'] }, [STUN], 'webrtc.turn_username and webrtc.turn_credential missing'],
	['4: credentials without URLs', { STUN_URLS: 'stun:h:3478', TURN_USERNAME: 'u', TURN_CREDENTIAL: 'c' },
		{ stun_urls: ['stun:h:3478'], turn_username: 'u', turn_credential: 'c' }, [STUN], 'webrtc.turn_urls missing'],
	['TURN without STUN', { TURN_URLS: TURN.urls.join(), TURN_USERNAME: 'u', TURN_CREDENTIAL: 'c' },
		{ turn_urls: TURN.urls, turn_username: 'u', turn_credential: 'c' }, [TURN]],
];

const tests = [];
for (const [what, variables, webrtc, list, warning] of rows) {
	const env = Object.fromEntries(Object.entries(variables).map(([k, v]) => [`WEBRTC_${k}`, v]));
	for (const [how, settings] of [['environment', { env }], ['YAML', { config: { webrtc } }]])
		tests.push([`${what}, ${how}`, () => serve(settings, async (s) => {
			check(await s.raw(), JSON.stringify({ iceServers: list }), 'body');
			const said = s.log().split('half a TURN configuration').length - 1;
			check([said, !warning || s.log().includes(warning)], [warning ? 1 : 0, true], 'warning at start');
		})]);
}

tests.push(['rtc.stun_servers and rtc.turn_servers; a reload', async () => {
	const rtc = {
		stun_servers: ['s:3478'],
		turn_servers: [
			{ host: 't', port: 5349, protocol: 'tls', secret: 'shared-secret', ttl: 60 },
			{ host: '2001:db8::1', protocol: 'tcp', username: 'u', credential: 'c' },
			{ host: 'nobody' },
		],
	};
	await serve({ config: { rtc } }, async (s) => {
		const { iceServers } = JSON.parse(await s.raw());
		const [, rest] = iceServers;
		const { username, credential } = rest;
		check(iceServers, [
			{ urls: ['stun:s:3478'] },
			{ urls: ['turns:t:5349?transport=tcp'], username, credential },
			{ urls: ['turn:[2001:db8::1]:3478?transport=tcp'], username: 'u', credential: 'c' },
		], 'list');
		check(Math.abs(Number(username.split(':')[0]) - Date.now() / 1000 - 60) < 30, true, username);
		check(credential, crypto.createHmac('sha1', 'shared-secret').update(username).digest('base64'), 'password');
		await s.reload({ rtc: { stun_servers: ['other:1'] } });
		const want = JSON.stringify({ iceServers: [{ urls: ['stun:other:1'] }] });
		await until('the new list', async () => (await s.raw()) === want);
		check(s.log().includes(credential) || s.log().includes('shared-secret'), false, 'secrets in the log');
	});
}]);

/* Offered, not tried: another program may hold these ports. */
const embedded = { enabled: true, bind_addresses: ['127.0.0.1'], external_ips: ['192.0.2.7', '2001:db8::7'], udp_port: await freeTcp(), tls_port: 0, relay_range_start: 20000, relay_range_end: 20100 };
const at = (kind, query = '') => ['192.0.2.7', '[2001:db8::7]'].map((ip) => `${kind}:${ip}:${embedded.udp_port}${query}`);

tests.push(['the TURN server in the process, without a shared secret: STUN only for strangers', async () => {
	await serve({ config: { turn: embedded } }, async (s) => {
		check(JSON.parse(await s.raw()).iceServers, [{ urls: at('stun') }], 'list');
		check(s.relay(), 'participants', 'but participants get more');
	});
}]);

tests.push(['the TURN server in the process, with a shared secret and TLS ended in front', async () => {
	const turn = { ...embedded, tls_port: await freeTcp(), external_tls: true, domain: 'turn.example.com', secrets: ['first', 'second'], ttl_seconds: 600 };
	await serve({ config: { turn } }, async (s) => {
		const [stun, relay] = JSON.parse(await s.raw()).iceServers;
		check(stun, { urls: at('stun') }, 'STUN');
		check([...relay.urls].sort(), [...at('turn', '?transport=udp'), ...at('turn', '?transport=tcp'), 'turns:turn.example.com:443?transport=tcp'].sort(), 'URLs');
		check(Math.abs(Number(relay.username.split(':')[0]) - Date.now() / 1000 - 600) < 30, true, relay.username);
		check(relay.credential, crypto.createHmac('sha1', 'first').update(relay.username).digest('base64'), 'password');
	});
}]);

tests.push(['the TURN server in the process, known by rtc.node_ip', async () => {
	await serve({ config: { turn: { ...embedded, external_ips: [], tcp: false, stun_only: true }, rtc: { node_ip: '192.0.2.9' } } }, async (s) => {
		check(JSON.parse(await s.raw()).iceServers, [{ urls: [`stun:192.0.2.9:${embedded.udp_port}`] }], 'list');
	});
}]);

tests.push(['a secret from a file', async () => {
	const file = path.join(work, 'secret');
	fs.writeFileSync(file, 'from-a-file\n', { mode: 0o600 });
	await serve({ config: { rtc: { turn_servers: [{ host: 't', secret_file: file }] } } }, async (s) => {
		const [{ username, credential }] = JSON.parse(await s.raw()).iceServers;
		check(credential, crypto.createHmac('sha1', 'from-a-file').update(username).digest('base64'), 'password');
	});
}]);

let failed = 0;
for (const [name, test] of tests) {
	try {
		await test();
		console.log(`ok ${name}`);
	} catch (e) {
		failed++;
		console.log(`FAILED ${name}: ${e.stack}\n${e.message}`);
	}
}
fs.rmSync(work, { recursive: true, force: true });
console.log(`${tests.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
