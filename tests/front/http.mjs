/* Plain HTTP: routes, join errors, CORS, limits of the request head, the web app. */
import crypto from 'node:crypto';
import zlib from 'node:zlib';
import { Server, b64url, bytes, check, num, run, token } from './kit.mjs';

const UPGRADE = {
	Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
};
const wrapped = (inner, compression = 1) => b64url(Buffer.concat([
	num(1, compression), bytes(2, compression ? zlib.gzipSync(inner) : inner)]));
const now = Math.floor(Date.now() / 1000);

let s, strict;

/* [what, path, status, text or start of it, headers] */
const joins = () => [
	['no token', '/rtc', 401, 'permissions denied'],
	['not a bearer', '/rtc', 401, 'invalid authorization header. Must start with Bearer ', { Authorization: 'Basic eA==' }],
	['garbage token', '/rtc?access_token=garbage', 401, 'invalid authorization token'],
	['unknown key', `/rtc?access_token=${token({}, { key: 'other' })}`, 401, 'invalid API key'],
	['wrong secret', `/rtc?access_token=${token({}, { secret: 'x'.repeat(40) })}`, 401, 'invalid token: '],
	['expired', `/rtc?access_token=${token({ exp: now - 100 })}`, 401, 'invalid token: '],
	['no exp', `/rtc?access_token=${token({ exp: undefined })}`, 401, 'invalid token: '],
	['no roomJoin', `/rtc?access_token=${token({}, { roomJoin: false })}`, 401, 'permissions denied'],
	['no video grant', `/rtc?access_token=${token({ video: undefined })}`, 401, 'permissions denied'],
	['no identity', `/rtc?access_token=${token({ sub: '' })}`, 400, 'identity cannot be empty'],
	['long identity', `/rtc?access_token=${token({ sub: 'i'.repeat(257) })}`, 400, 'participant identity length exceeds limits'],
	['no room', `/rtc?access_token=${token({}, { room: '' })}`, 400, 'no room name'],
	['long room', `/rtc?access_token=${token({}, { room: 'r'.repeat(257) })}`, 400, 'room name length exceeds limits'],
	['publish denied', `/rtc?publish=x&access_token=${token({}, { canPublish: false })}`, 401, 'permissions denied'],
	['attributes denied', `/rtc?attributes=${b64url('{"a":"b"}')}&access_token=${token()}`, 401, 'permissions denied'],
	['attributes broken', `/rtc?attributes=%21&access_token=${token({}, { canUpdateOwnMetadata: true })}`, 400, 'attributes are not'],
	['v1 without request', `/rtc/v1?access_token=${token()}`, 400, 'join_request is missing'],
	['v1 broken request', `/rtc/v1?join_request=%21%21&access_token=${token()}`, 400, ''],
	['v1 metadata denied', `/rtc/v1?join_request=${wrapped(bytes(3, 'm'))}&access_token=${token()}`, 401, 'permissions denied'],
	['v1 bomb', `/rtc/v1?join_request=${wrapped(Buffer.alloc(4 << 20))}&access_token=${token()}`, 400, ''],
];

await run([
	['start', async () => {
		s = await Server.start({ dev: 1 });
		strict = await Server.start({ auto_create: 0, metrics: 'prom' });
	}],
	['join errors, before the upgrade and from validate', async () => {
		for (const [what, path, status, text, headers = {}] of joins()) {
			const validate = path.replace(/^\/rtc(\/v1)?/, '/rtc$1/validate');
			const [v, u] = [await s.get(validate, headers), await s.get(path, { ...UPGRADE, ...headers })];
			check([v.status, u.status], [status, status], what);
			check(v.body.slice(0, text.length), text, `${what}: text`);
			check(u.body, v.body, `${what}: same text on both ways`);
			check(v.body !== '', true, `${what}: some text`);
			check(v.headers['access-control-allow-origin'], '*', `${what}: origin`);
			check(v.headers['content-type'], 'text/plain; charset=utf-8', `${what}: type`);

		}
	}],
	['validate says success', async () => {
		for (const r of [
			await s.get(`/rtc/validate?access_token=${token()}`),
			await s.get('/rtc/validate', { Authorization: `Bearer ${token()}` }),
			await s.get(`/rtc/validate?join_request=${wrapped(Buffer.alloc(0))}&access_token=${token()}`),
			await s.get(`/rtc/v1/validate?join_request=${wrapped(bytes(1, num(1, 1)), 0)}`, { Authorization: `Bearer ${token()}` }),
		])
			check([r.status, r.body, r.headers['access-control-allow-origin']], [200, 'success', '*'], 'validate');
	}],
	['room that does not exist', async () => {
		const r = await strict.get(`/rtc/validate?access_token=${token({}, { room: 'nowhere' })}`);
		check([r.status, r.body], [404, 'requested room does not exist'], 'validate');
		check((await strict.get(`/rtc/validate?access_token=${token()}`)).status, 200, 'existing room');
	}],
	['plain GET on the WebSocket paths', async () => {
		for (const path of ['/rtc', '/rtc/v1', `/rtc?access_token=${token()}`]) {
			const r = await s.get(path);
			check([r.status, r.body, r.headers['content-length']], [404, '', '0'], path);
		}
		check((await s.get('/healthz', UPGRADE)).status, 404, 'no WebSocket elsewhere');
	}],
	['doubled slash', async () => {
		check((await s.get(`//rtc/validate?access_token=${token()}`)).body, 'success', 'collapsed');
		check((await s.get('//rtc')).status, 404, 'same route');
	}],
	['CORS', async () => {
		const r = await s.get('/rtc/validate', { Origin: 'https://app.example' });
		check([r.status, r.headers['access-control-allow-origin'], r.headers.vary], [401, 'https://app.example', 'Origin'], 'reflected');
		const p = await s.get('/twirp/x', { Origin: 'https://a.b', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-a, x-b' }, 'OPTIONS');
		check([p.status, p.headers['access-control-allow-headers'], p.headers['access-control-max-age']], [204, 'x-a, x-b', '86400'], 'preflight');
		check(p.headers['access-control-allow-methods'], 'OPTIONS, HEAD, GET, POST, PATCH, DELETE', 'methods');
		check((await s.get('/healthz')).headers['access-control-allow-origin'], undefined, 'nothing without an Origin');
	}],
	['health, readiness, metrics', async () => {
		check((await s.get('/healthz')).body, 'ok', 'healthz');
		check((await s.get('/readyz')).body, '{"ready":true}', 'readyz');
		check(/sterna_http_requests_total [1-9]/.test((await s.get('/metrics')).body), true, 'metrics');
		check((await strict.get('/metrics')).status, 401, 'metrics with a password');
		check((await strict.get('/metrics', { Authorization: 'Basic ' + Buffer.from('prom:no').toString('base64') })).status, 401, 'wrong one');
		check((await strict.get('/metrics', { Authorization: 'Basic ' + Buffer.from('prom:prom').toString('base64') })).status, 200, 'right one');
		strict.tell('unready');
		await strict.next(/^unready/);
		check((await strict.get('/readyz')).status, 503, 'not ready');
		check((await strict.get(`/rtc/validate?access_token=${token()}`)).status, 503, 'no joins then');
	}],
	['ICE servers', async () => {
		const path = '/api/v1/config/webrtc';
		const none = await s.get(path);
		check([none.status, none.headers['content-type'], none.body], [200, 'application/json', '{"iceServers":[]}'], 'none');
		check([none.headers['cache-control'], none.headers['access-control-allow-origin']], ['no-store', '*'], 'headers');
		s.tell('ice one.example');
		await s.next(/^ice/);
		// The list crosses to another thread; what matters is that it gets there.
		let r;
		do
			r = await s.get(path, { Origin: 'https://app.example' });
		while (r.body === none.body);
		check([r.status, r.headers['cache-control'], r.headers['access-control-allow-origin']], [200, 'no-store', 'https://app.example'], 'any origin');
		const [stun, turn] = JSON.parse(r.body).iceServers;
		check(stun, { urls: ['stun:one.example:3478'] }, 'STUN has no credentials');
		check(turn.urls, ['turn:turn.example:3478?transport=udp'], 'TURN');
		const [expiry, name] = turn.username.split(':');
		check(Math.abs(Number(expiry) - Date.now() / 1000 - 3600) < 30, true, `expiry ${expiry}`);
		check(turn.credential, crypto.createHmac('sha1', 'shared-secret').update(turn.username).digest('base64'), 'password');
		const other = JSON.parse((await s.get(path)).body).iceServers[1];
		check(other.username.endsWith(name), false, 'a name for each asker');

		const head = await s.raw(`HEAD ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
		check([head.status, Number(head.headers['content-length']) > 100, head.body], [200, true, ''], 'HEAD');
		const no = await s.get(path, { 'Content-Length': 0 }, 'POST');
		check([no.status, no.headers.allow], [405, 'OPTIONS, GET, HEAD'], 'POST');
		check((await s.get(path, UPGRADE)).status, 404, 'no WebSocket');
		check((await s.get(path, { Origin: 'https://a.b', 'Access-Control-Request-Method': 'GET' }, 'OPTIONS')).status, 204, 'preflight');
		s.tell('ice two.example');
		await s.next(/^ice/);
		while (!(await s.get(path)).body.includes('"stun:two.example:3478"'));
	}],
	['ICE servers, too often', async () => {
		const path = '/api/v1/config/webrtc', from = (ip) => ({ 'X-Forwarded-For': ip });
		const slow = await Server.start({ ice_requests: 3 });
		for (let i = 0; i < 3; i++)
			check((await slow.get(path, from('192.0.2.1'))).status, 200, `request ${i}`);
		const r = await slow.get(path, from('192.0.2.1'));
		check([r.status, r.headers['cache-control'], r.headers['access-control-allow-origin']], [429, 'no-store', '*'], 'the next');
		check(Number(r.headers['retry-after']) > 0 && Number(r.headers['retry-after']) <= 20, true, r.headers['retry-after']);
		check((await slow.get(path, from('192.0.2.2'))).status, 200, 'somebody else');
		check(/sterna_ice_list_refused_total 1\b/.test((await slow.get('/metrics')).body), true, 'counted');
		await slow.stop();
	}],
	['dev token', async () => {
		const r = await s.get('/dev/token?room=lobby&name=Ada%20L%C3%B6velace');
		const t = JSON.parse(r.body);
		check([r.status, t.room, /^ada-l-velace-[0-9a-f]{6}$/.test(t.identity)], [200, 'lobby', true], t.identity);
		check((await s.get(`/rtc/validate?access_token=${t.token}`)).body, 'success', 'usable');
		check((await s.get('/dev/token?room=lobby')).status, 400, 'no name');
		check((await strict.get('/dev/token?room=lobby&name=x')).status, 404, 'only in dev mode');
	}],
	['the web app', async () => {
		check((await s.get('/')).body, 'OK', 'health check of a load balancer');
		const page = await s.get('/', { Accept: 'text/html,*/*', 'Accept-Encoding': 'gzip, br' });
		check([page.status, page.headers['content-encoding'], page.headers.etag], [200, 'gzip', '"p1"'], 'page');
		check(zlib.gunzipSync(page.bytes).toString(), '<title>sterna</title>\n', 'content');
		for (const h of ['content-security-policy', 'referrer-policy', 'permissions-policy', 'x-content-type-options'])
			check(typeof page.headers[h], 'string', h);
		check((await s.get('/room/a%20b', { Accept: 'text/html' })).body, '<title>sterna</title>\n', 'room link, no gzip');
		const js = await s.get('/assets/app-1a2b.js', { 'Accept-Encoding': 'gzip' });
		check([js.status, js.headers['cache-control']], [200, 'public, max-age=31536000, immutable'], 'asset');
		const again = await s.get('/assets/app-1a2b.js', { 'Accept-Encoding': 'gzip', 'If-None-Match': '"a1"' });
		check([again.status, again.body], [304, ''], 'not modified');
		check((await s.get('/assets/../../etc/passwd')).status, 404, 'no way out');
		check((await s.get('/nothing')).status, 404, 'unknown');
		check((await s.get('/healthz', {}, 'POST')).status, 411, 'body without length');
		const no = await s.get('/healthz', { 'Content-Length': 0 }, 'DELETE');
		check([no.status, no.headers.allow], [405, 'OPTIONS, GET, HEAD'], 'method');
	}],
	['request line of 60 KiB, and more', async () => {
		const big = token({ metadata: 'm'.repeat(44000) });
		check(big.length > 58000 && big.length < 64000, true, `token of ${big.length} bytes`);
		check((await s.get(`/rtc/validate?access_token=${big}`)).body, 'success', 'in the query');
		check((await s.get('/rtc/validate', { Authorization: `Bearer ${big}` })).body, 'success', 'in a header');
		check((await s.get('/rtc/validate?access_token=' + 'a'.repeat(70000))).status, 414, 'one parameter');
		check((await s.get('/rtc/validate?' + 'a=bbbbbbbbb&'.repeat(20) + 'c=' + 'c'.repeat(65500))).status, 414, 'in sum');
		check((await s.get('/' + 'a'.repeat(66000))).status, 414, 'path');
		const huge = await s.get('/rtc/validate?access_token=' + 'a'.repeat(400000));
		check(huge.status === 0 || huge.status >= 400, true, `400 KB: ${huge.status}`);
		check((await s.get('/healthz')).status, 200, 'still alive');
	}],
	['request bodies', async () => {
		check((await s.get('/healthz', { 'Content-Length': (10 << 20) + 1 }, 'POST')).status, 413, 'too large');
		check((await s.get('/healthz', { 'Transfer-Encoding': 'chunked' }, 'POST')).status, 411, 'chunked');
		check((await s.get('/healthz', { 'Content-Length': '1x' }, 'POST')).status, 400, 'malformed');
	}],
	['keep-alive and pipelining', async () => {
		const r = await s.raw('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2) + 'GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
		check(r.status, 200, 'first of three');
		const all = await new Promise(async (yes) => {
			const socket = await s.connect();
			let text = '';
			socket.on('data', (d) => { text += d; });
			socket.on('close', () => yes(text));
			socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2) + 'GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
		});
		check(all.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 404'], 'all three, in order');
	}],
	['HTTP/2 upgrade is declined', async () => {
		const r = await s.get('/healthz', { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' });
		check([r.status, r.body], [200, 'ok'], 'answered in HTTP/1.1');
	}],
	['port in use', async () => {
		const second = await Server.start({ port: s.port });
		check(/^failed cannot listen on .*another program uses it/.test(second.failure), true, second.failure);
		await second.stop();
	}],
	['stop', async () => { await s.stop(); await strict.stop(); }],
]);
