/* Signal WebSockets: frames, JSON, pings, compression, closing, limits. */
import { Server, Ws, check, fields, offer, ping, pingReq, run, token, within } from './kit.mjs';

const DEFLATE = 'permessage-deflate; client_max_window_bits';
let s;
const open = (options, claims = {}) => Ws.open(s, `/rtc?access_token=${token(claims)}&auto_subscribe=1`, options);
const sdpOf = (m) => fields(fields(m.bytes)[2])[2].toString();
const ended = (ws, what) => within(ws.closed, what);

await run([
	['start', async () => { s = await Server.start(); }],
	['opens, echoes, closes', async () => {
		const ws = await open();
		check(ws.response.status, 101, 'upgrade');
		const line = await s.next(/^open/);
		check(line.split(' ').slice(2), ['ada', 'lobby', 'dual', '127.0.0.1'], 'join parameters');
		ws.send(offer('v=0'));
		await s.next(/^request \S+ 1$/);
		const m = await ws.next();
		check([m.isText, sdpOf(m)], [false, 'v=0'], 'echo');
		ws.close();
		check(await ended(ws, 'close'), 1000, 'close code');
		await s.next(/^closed/);
	}],
	['address from a proxy', async () => {
		const ws = await open({ headers: { 'X-Forwarded-For': '6.6.6.6, 203.0.113.9, 10.0.0.1' } });
		check((await s.next(/^open/)).split(' ')[5], '203.0.113.9', 'the last that is not ours');
		ws.close();
		await s.next(/^closed/);
	}],
	['pings', async () => {
		const ws = await open();
		ws.send(ping(12345));
		const pong = fields((await ws.next()).bytes)[18];
		check(Math.abs(Number(pong) - Date.now()) < 60000, true, 'pong in ms');
		ws.send(pingReq(777));
		const resp = fields(fields((await ws.next()).bytes)[20]);
		check(Number(resp[1]), 777, 'last_ping_timestamp');
		check(Math.abs(Number(resp[2]) - Date.now()) < 60000, true, 'timestamp');
		ws.frame(9, Buffer.from('hi'));
		ws.close();
		await ended(ws, 'close');
		await s.next(/^closed/);
	}],
	['text flips to JSON and binary back', async () => {
		const ws = await open();
		ws.sendText('{"offer":{"type":"offer","sdp":"text","unknown":1}}');
		let m = await ws.next();
		check([m.isText, JSON.parse(m.bytes).answer.sdp], [true, 'text'], 'JSON');
		ws.sendText('{"pingReq":{"timestamp":"5"}}');
		m = await ws.next();
		check([m.isText, JSON.parse(m.bytes).pongResp.lastPingTimestamp], [true, '5'], 'JSON pong');
		ws.send(offer('binary'));
		m = await ws.next();
		check([m.isText, sdpOf(m)], [false, 'binary'], 'back');
		ws.close();
		await ended(ws, 'close');
	}],
	['fragments with a ping between them', async () => {
		const ws = await open();
		const all = offer('f'.repeat(70000));
		ws.frame(2, all.subarray(0, 10), { fin: false });
		ws.frame(9, Buffer.from('mid'));
		ws.frame(0, all.subarray(10, 66000), { fin: false });
		ws.frame(0, all.subarray(66000));
		check(sdpOf(await ws.next()).length, 70000, 'put together');
		ws.close();
		await ended(ws, 'close');
	}],
	['permessage-deflate', async () => {
		for (const extensions of [DEFLATE, 'permessage-deflate; server_no_context_takeover; client_no_context_takeover']) {
			const keeps = extensions === DEFLATE;
			const ws = await open({ extensions });
			check(ws.deflates, true, 'negotiated');
			for (const n of [3, 3, 20000, 300000, 3]) {
				const sdp = Array.from({ length: n }, (_, i) => 'ab cdefgh'[(i * i) % 9]).join('');
				await (keeps ? ws.sendDeflated(offer(sdp)) : ws.send(offer(sdp)));
				const m = await ws.next();
				check([m.compressed, sdpOf(m) === sdp], [true, true], `${n} characters`);
			}
			ws.close();
			check(await ended(ws, 'close'), 1000, 'closed well');
		}
		const half = await open({ extensions: 'permessage-deflate; server_no_context_takeover' });
		check(half.deflates, false, 'not what the library would get wrong');
		half.send(offer('x'));
		check(sdpOf(await half.next()), 'x', 'without');
		half.close();
	}],
	['deflate with JSON', async () => {
		const ws = await open({ extensions: DEFLATE });
		ws.sendText('{"offer":{"sdp":"j"}}');
		check(JSON.parse((await ws.next()).bytes).answer.sdp, 'j', 'text');
		ws.close();
	}],
	['too large a message', async () => {
		const announced = await open();
		announced.frame(2, Buffer.alloc(40000), { lengthOnly: (2 << 20) + 1 });
		check(await ended(announced, 'announced'), 1009, 'by the frame header');
		const sum = await open();
		sum.frame(2, Buffer.alloc(1 << 20), { fin: false });
		sum.frame(0, Buffer.alloc((1 << 20) + 1));
		check(await ended(sum, 'sum'), 1009, 'in sum');
		const bomb = await open({ extensions: DEFLATE });
		await bomb.sendDeflated(Buffer.alloc(8 << 20));
		check(await ended(bomb, 'bomb'), 1009, 'after inflation');
		const fits = await open();
		fits.send(offer('l'.repeat((2 << 20) - 100)));
		check(sdpOf(await fits.next()).length, (2 << 20) - 100, 'just fits');
		fits.close();
	}],
	['undecodable messages', async () => {
		const ws = await open();
		for (let i = 0; i < 9; i++)
			ws.send(Buffer.from([0xff, 0xff, 0xff]));
		ws.send(offer('fine'));
		check(sdpOf(await ws.next()), 'fine', 'nine are forgiven');
		for (let i = 0; i < 10; i++)
			ws.sendText('{');
		check(await ended(ws, 'ten'), 1003, 'ten in a row are not');
	}],
	['message flood', async () => {
		const ws = await open();
		for (let i = 0; i < 3000; i++)
			ws.send(ping(1));
		/* Still sending, it may lose the close frame to a TCP reset. */
		check([1008, 'reset'].includes(await ended(ws, 'flood')), true, 'closed');
	}],
	['close from another thread comes after what was sent', async () => {
		// The server sends to who came last: a name of its own tells that this one has come.
		const ws = await Ws.open(s, `/rtc?access_token=${token({ sub: 'zoe' })}`);
		await s.next(/^open \S+ zoe/);
		s.tell('send 500000 8');
		s.tell('close 4001');
		for (let i = 0; i < 8; i++)
			check(sdpOf(await ws.next()).length, 500000, `message ${i}`);
		check(await ended(ws, 'close'), 4001, 'code');
	}],
	['a client that does not read is cut off', async () => {
		const small = await Server.start({ out_queue: 4 << 20 });
		const ws = await Ws.open(small, `/rtc?access_token=${token()}`);
		await small.next(/^open/);
		ws.socket.pause();
		small.tell('send 1000000 40');
		await small.next(/^sent/);
		const other = await Ws.open(small, `/rtc?access_token=${token({ sub: 'bob' })}`);
		await small.next(/^open \S+ bob/);
		other.send(offer('still here'));
		check(sdpOf(await other.next()), 'still here', 'others go on');
		ws.socket.resume();
		check(await ended(ws, 'cut off'), 1013, 'code');
		await small.next(/^closed/);
		await small.stop();
	}],
	['a full mailbox closes the connection', async () => {
		const small = await Server.start({ mailbox: 4 });
		const ws = await Ws.open(small, `/rtc?access_token=${token()}`);
		await small.next(/^open/);
		small.tell('send 20000 2000');
		check(await ended(ws, 'lost message'), 1013, 'code');
		await small.stop();
	}],
	['the server pings, and closes those who do not answer', async () => {
		const quick = await Server.start({ ping_interval_s: 1 });
		const ws = await Ws.open(quick, `/rtc?access_token=${token()}`);
		const dead = await Ws.open(quick, `/rtc?access_token=${token({ sub: 'dead' })}`);
		dead.socket.removeAllListeners('data');
		dead.socket.on('data', () => {});
		await within(new Promise((yes) => { ws.onPing = () => ws.pings >= 3 && yes(); }), 'three pings');
		check(await ended(dead, 'silent client'), 'reset', 'hung up');
		ws.send(offer('alive'));
		check(sdpOf(await ws.next()), 'alive', 'the other stays');
		await quick.stop();
	}],
	['draining and stopping', async () => {
		const ws = await open();
		s.tell('drain');
		await s.next(/^drained/);
		check((await s.get('/readyz')).body, '{"ready":false,"reason":"draining"}', 'readyz');
		check((await open()).response.status, 503, 'no new join');
		ws.send(offer('x'));
		check(sdpOf(await ws.next()), 'x', 'open ones stay');
		const code = ended(ws, 'stop');
		await s.stop();
		check(await code, 1001, 'going away');
	}],
]);
