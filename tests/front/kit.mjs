/* kit: starts the test server, makes tokens, speaks raw HTTP and WebSocket, and runs the tests of a file. */
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import net from 'node:net';
import zlib from 'node:zlib';

const KEY = 'devkey';
const SECRET = 'secret-of-at-least-thirty-two-bytes';
const STEP_MS = 15000;

export const b64url = (b) => Buffer.from(b).toString('base64url');

export function token(claims = {}, { secret = SECRET, key = KEY, ...video } = {}) {
	const head = b64url(JSON.stringify({ alg: 'HS256', typ: 'JWT' }));
	const body = b64url(JSON.stringify({
		iss: key, sub: 'ada', exp: Math.floor(Date.now() / 1000) + 600,
		video: { roomJoin: true, room: 'lobby', ...video }, ...claims,
	}));
	const mac = crypto.createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url');
	return `${head}.${body}.${mac}`;
}

export function check(got, want, what) {
	const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
	if (a !== b)
		throw new Error(`${what}: got ${String(a).slice(0, 300)}, want ${String(b).slice(0, 300)}`);
}

export function within(promise, what, ms = STEP_MS) {
	let timer;
	const late = new Promise((_, no) => { timer = setTimeout(() => no(new Error(`${what}: nothing for ${ms} ms`)), ms); });
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/* The server process. Options as in server.c. */
export class Server {
	static async start(options = {}) {
		const s = new Server();
		s.lines = [];
		s.waiting = [];
		s.process = spawn(process.argv[2], Object.entries(options).flat().map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
		s.exited = new Promise((yes) => s.process.on('exit', yes));
		let rest = '';
		s.process.stdout.on('data', (d) => {
			rest += d;
			for (let at; (at = rest.indexOf('\n')) >= 0; rest = rest.slice(at + 1))
				s.#line(rest.slice(0, at));
		});
		const first = await s.next(/^(port|failed)/);
		s.failure = first.startsWith('failed') ? first : null;
		s.port = Number(first.split(' ')[1]);
		return s;
	}

	#line(line) {
		const i = this.waiting.findIndex((w) => w.pattern.test(line));
		if (i < 0)
			this.lines.push(line);
		else
			this.waiting.splice(i, 1)[0].yes(line);
	}

	/* The next line of stdout that matches; each line is given out once. */
	next(pattern) {
		const i = this.lines.findIndex((l) => pattern.test(l));
		if (i >= 0)
			return Promise.resolve(this.lines.splice(i, 1)[0]);
		return within(new Promise((yes) => this.waiting.push({ pattern, yes })), `server line ${pattern}`);
	}

	tell(command) {
		this.process.stdin.write(command + '\n');
	}

	async stop() {
		this.process.stdin.end();
		check(await within(this.exited, 'server exit'), this.failure ? 2 : 0, 'exit code of the server');
	}

	connect() {
		return new Promise((yes, no) => {
			const socket = net.connect(this.port, '127.0.0.1', () => yes(socket));
			socket.on('error', no);
		});
	}

	/* Sends the bytes, returns what comes back until the response is complete or the connection ends. */
	async raw(text) {
		const socket = await this.connect();
		socket.write(text);
		return within(readResponse(socket), 'response').finally(() => socket.destroy());
	}

	get(path, headers = {}, method = 'GET') {
		const lines = Object.entries({ Host: 'localhost', ...headers }).map(([k, v]) => `${k}: ${v}\r\n`).join('');
		return this.raw(`${method} ${path} HTTP/1.1\r\n${lines}\r\n`);
	}
}

export function readResponse(socket, method = 'GET') {
	return new Promise((yes) => {
		let data = Buffer.alloc(0);
		const parse = (ended) => {
			const at = data.indexOf('\r\n\r\n');
			if (at < 0)
				return ended && yes({ status: 0, headers: {}, body: data.toString() });
			const [first, ...rest] = data.subarray(0, at).toString().split('\r\n');
			const headers = {};
			for (const l of rest) {
				const colon = l.indexOf(':');
				const name = l.slice(0, colon).toLowerCase();
				headers[name] = (headers[name] ? headers[name] + ', ' : '') + l.slice(colon + 1).trim();
			}
			const status = Number(first.split(' ')[1]);
			const n = Number(headers['content-length'] ?? 0);
			const bytes = data.subarray(at + 4);
			if (ended || status === 101 || method === 'HEAD' || bytes.length >= n) {
				socket.off('data', onData);
				const body = status === 101 ? bytes : bytes.subarray(0, n);
				yes({ status, headers, body: body.toString(), bytes: body });
			}
		};
		const onData = (d) => { data = Buffer.concat([data, d]); parse(false); };
		socket.on('data', onData);
		socket.on('close', () => parse(true));
		socket.on('error', () => parse(true));
	});
}

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/* A WebSocket client that shows everything: frames as they come, close codes, compression. */
export class Ws {
	static async open(server, path, { extensions, headers = {} } = {}) {
		const ws = new Ws();
		ws.socket = await server.connect();
		const lines = Object.entries({
			Host: 'localhost', Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': 13,
			'Sec-WebSocket-Key': crypto.randomBytes(16).toString('base64'),
			...(extensions ? { 'Sec-WebSocket-Extensions': extensions } : {}), ...headers,
		}).map(([k, v]) => `${k}: ${v}\r\n`).join('');
		ws.socket.write(`GET ${path} HTTP/1.1\r\n${lines}\r\n`);
		ws.response = await within(readResponse(ws.socket), 'upgrade');
		ws.deflates = /permessage-deflate/.test(ws.response.headers['sec-websocket-extensions'] ?? '');
		ws.input = ws.response.bytes ?? Buffer.alloc(0);
		ws.messages = [];
		ws.waiting = [];
		ws.pings = 0;
		ws.pieces = [];
		ws.closed = new Promise((yes) => { ws.onClose = yes; });
		if (ws.response.status !== 101)
			return ws;
		ws.inflate = zlib.createInflateRaw({ finishFlush: zlib.constants.Z_SYNC_FLUSH });
		ws.deflate = zlib.createDeflateRaw();
		ws.queue = Promise.resolve();
		ws.socket.on('data', (d) => { ws.input = Buffer.concat([ws.input, d]); ws.#parse(); });
		ws.socket.on('close', () => ws.onClose(ws.code ?? 'reset'));
		ws.socket.on('error', () => {});
		ws.#parse();
		return ws;
	}

	#parse() {
		for (;;) {
			const b = this.input;
			if (b.length < 2)
				return;
			let n = b[1] & 0x7f, at = 2;
			if (n === 126) {
				if (b.length < 4) return;
				n = b.readUInt16BE(2);
				at = 4;
			} else if (n === 127) {
				if (b.length < 10) return;
				n = Number(b.readBigUInt64BE(2));
				at = 10;
			}
			if (b.length < at + n)
				return;
			this.#frame(b[0], b.subarray(at, at + n));
			this.input = b.subarray(at + n);
		}
	}

	#frame(first, payload) {
		const opcode = first & 0x0f;
		if (opcode === 8) {
			this.code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
			this.frame(8, payload.subarray(0, 2));
			this.socket.end();
			this.onClose(this.code);
		} else if (opcode === 9) {
			this.pings++;
			this.frame(10, payload);
			this.onPing?.();
		} else if (opcode !== 10) {
			if (opcode)
				this.current = { isText: opcode === 1, compressed: !!(first & 0x40) };
			this.pieces.push(Buffer.from(payload));
			if (first & 0x80) {
				const bytes = Buffer.concat(this.pieces);
				this.pieces = [];
				const m = this.current;
				this.queue = this.queue.then(async () => this.#deliver({ ...m, bytes: m.compressed ? await this.#inflated(bytes) : bytes }));
			}
		}
	}

	#inflated(bytes) {
		return new Promise((yes, no) => {
			const out = [];
			const take = (d) => out.push(d);
			this.inflate.on('data', take);
			this.inflate.on('error', no);
			this.inflate.write(Buffer.concat([bytes, TAIL]));
			this.inflate.flush(() => { this.inflate.off('data', take); yes(Buffer.concat(out)); });
		});
	}

	#deliver(m) {
		const w = this.waiting.shift();
		if (w)
			w(m);
		else
			this.messages.push(m);
	}

	next() {
		if (this.messages.length)
			return Promise.resolve(this.messages.shift());
		return within(new Promise((yes) => this.waiting.push(yes)), 'WebSocket message');
	}

	/* A frame as the protocol wants it from clients: masked. */
	frame(opcode, payload, { fin = true, rsv1 = false, lengthOnly } = {}) {
		const n = lengthOnly ?? payload.length;
		const head = Buffer.alloc(n < 126 ? 2 : n < 65536 ? 4 : 10);
		head[0] = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode;
		head[1] = 0x80 | (n < 126 ? n : n < 65536 ? 126 : 127);
		if (head.length === 4) head.writeUInt16BE(n, 2);
		if (head.length === 10) head.writeBigUInt64BE(BigInt(n), 2);
		const mask = crypto.randomBytes(4);
		const masked = Buffer.alloc(payload.length);
		for (let i = 0; i < payload.length; i++)
			masked[i] = payload[i] ^ mask[i & 3];
		this.socket.write(Buffer.concat([head, mask, masked]));
	}

	send(bytes) {
		this.frame(2, bytes);
	}

	sendText(text) {
		this.frame(1, Buffer.from(text));
	}

	/* With the compressor's memory kept from message to message, as browsers do. */
	sendDeflated(bytes) {
		return new Promise((yes) => {
			const out = [];
			const take = (d) => out.push(d);
			this.deflate.on('data', take);
			this.deflate.write(bytes);
			this.deflate.flush(zlib.constants.Z_SYNC_FLUSH, () => {
				this.deflate.off('data', take);
				const all = Buffer.concat(out);
				this.frame(2, all.subarray(0, all.length - 4), { rsv1: true });
				yes();
			});
		});
	}

	close(code = 1000) {
		const b = Buffer.alloc(2);
		b.writeUInt16BE(code);
		this.frame(8, b);
	}
}

/* ---- the few protobuf messages that the tests need */

function varint(v) {
	const out = [];
	let n = BigInt.asUintN(64, BigInt(v));
	do {
		out.push(Number(n & 0x7fn) | (n > 0x7fn ? 0x80 : 0));
		n >>= 7n;
	} while (n);
	return Buffer.from(out);
}
export const num = (field, v) => Buffer.concat([varint(field << 3), varint(v)]);
export const bytes = (field, b) => Buffer.concat([varint((field << 3) | 2), varint(Buffer.byteLength(b)), Buffer.from(b)]);
export const offer = (sdp) => bytes(1, Buffer.concat([bytes(1, 'offer'), bytes(2, sdp)]));
export const ping = (ms) => num(14, ms);
export const pingReq = (ms) => bytes(16, num(1, ms));

/* Field number → value (BigInt or Buffer) of a message's top level. */
export function fields(b) {
	const out = {};
	let at = 0;
	const take = () => {
		let v = 0n;
		for (let shift = 0n; ; shift += 7n) {
			const c = b[at++];
			v |= BigInt(c & 0x7f) << shift;
			if (!(c & 0x80))
				return v;
		}
	};
	while (at < b.length) {
		const tag = Number(take());
		if ((tag & 7) === 0) {
			out[tag >> 3] = take();
		} else {
			const n = Number(take());
			out[tag >> 3] = b.subarray(at, at + n);
			at += n;
		}
	}
	return out;
}

/* Runs [name, function] pairs one after the other; exit code 1 if any failed. */
export async function run(tests) {
	let failed = 0;
	for (const [name, test] of tests) {
		try {
			await test();
			console.log(`ok ${name}`);
		} catch (e) {
			failed++;
			console.log(`FAILED ${name}: ${e.stack}`);
		}
	}
	process.exit(failed ? 1 : 0);
}
