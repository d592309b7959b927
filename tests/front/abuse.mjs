/* Clients that mean harm, or nothing at all. */
import { Server, Ws, check, offer, fields, run, token, within } from './kit.mjs';

const closed = (socket) => new Promise((yes) => socket.on('close', yes));

await run([
	['slow request heads are cut off', async () => {
		const s = await Server.start({ header_timeout_s: 2 });
		const slow = await s.connect();
		const from = Date.now();
		slow.on('error', () => {});
		slow.resume();
		const cut = closed(slow);
		slow.write('GET /healthz HTTP/1.1\r\n');
		const drip = setInterval(() => slow.write('X: y\r\n'), 300);
		const idle = await s.connect();
		idle.resume();
		await within(closed(idle), 'silent connection');
		await within(cut, 'dripping connection');
		clearInterval(drip);
		check(Date.now() - from < 8000, true, `after ${Date.now() - from} ms`);
		await s.stop();
	}],
	['2000 half-open connections hinder nobody', async () => {
		const s = await Server.start();
		const sockets = [];
		for (let i = 0; i < 20; i++)
			sockets.push(...await Promise.all(Array.from({ length: 100 }, () => s.connect())));
		for (const socket of sockets) {
			socket.on('error', () => {});
			socket.write('GET /healthz HTTP/1.1\r\nHost: ');
		}
		const from = Date.now();
		for (let i = 0; i < 20; i++)
			check((await s.get('/healthz')).status, 200, 'healthz');
		const each = (Date.now() - from) / 20;
		console.log(`  healthz beside 2000 half-open connections: ${each.toFixed(1)} ms`);
		check(each < 250, true, `${each} ms`);
		const ws = await Ws.open(s, `/rtc?access_token=${token()}`);
		ws.send(offer('x'));
		check(fields(fields((await ws.next()).bytes)[2])[2].toString(), 'x', 'WebSocket');
		for (const socket of sockets)
			socket.destroy();
		await s.stop();
	}],
	['connection limit', async () => {
		const s = await Server.start({ max_connections: 10 });
		const held = await Promise.all(Array.from({ length: 10 }, () => s.connect()));
		for (const socket of held)
			socket.write('GET /healthz HTTP/1.1\r\n');
		const r = await s.get('/healthz');
		check([0, 503].includes(r.status), true, `refused: ${r.status}`);
		for (const socket of held)
			socket.destroy();
		for (let i = 0; i < 50 && (await s.get('/healthz')).status !== 200; i++);
		check((await s.get('/healthz')).status, 200, 'room again');
		await s.stop();
	}],
	['garbage', async () => {
		const s = await Server.start();
		for (const text of [
			'\x16\x03\x01\x02\x00\x01\x00\x01\xfc', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\0\0\0\0', 'GET\r\n\r\n', 'GET / HTTP/1.1\r\n: \r\n\r\n',
			'GET /%zz HTTP/1.1\r\n\r\n', 'GET /%00 HTTP/1.1\r\n\r\n', 'GET /?' + 'a&'.repeat(300) + ' HTTP/1.1\r\n\r\n', 'BREW /pot HTTP/1.1\r\n\r\n',
			'CONNECT a:1 HTTP/1.1\r\n\r\n', 'GET http://a/ HTTP/1.1\r\n\r\n', 'GET /rtc HTTP/1.1\r\nUpgrade: websocket\r\n\r\n',
			'GET /rtc?access_token=' + token() + ' HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
			'GET / HTTP/1.1\r\n' + 'X-A: b\r\n'.repeat(5000) + '\r\n',
		]) {
			const socket = await s.connect();
			socket.on('error', () => {});
			socket.end(Buffer.from(text, 'latin1'));
			socket.resume();
			await within(closed(socket), JSON.stringify(text.slice(0, 40)));
			check((await s.get('/healthz')).status, 200, `alive after ${JSON.stringify(text.slice(0, 40))}`);
		}
		await s.stop();
	}],
	['broken WebSocket frames', async () => {
		const s = await Server.start();
		for (const raw of [[0x83, 0x80, 0, 0, 0, 0], [0xf2, 0x80, 0, 0, 0, 0], [0x89, 0xfe, 1, 0, 0, 0, 0, 0], [0x80, 0x81, 0, 0, 0, 0, 1],
			[0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0xc2, 0x84, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]]) {
			const ws = await Ws.open(s, `/rtc?access_token=${token()}`, { extensions: raw[0] === 0xc2 ? 'permessage-deflate' : undefined });
			ws.socket.write(Buffer.from(raw));
			ws.socket.end();
			await within(ws.closed, `frame ${raw}`);
			await s.next(/^closed/);
		}
		check((await s.get('/healthz')).status, 200, 'alive');
		await s.stop();
	}],
]);
