import { expect, test, vi } from "vitest";
import { FALLBACK, IceServers, natWarning, readServers } from "../src/ice";

const STUN = { urls: ["stun:h:3478"] };
const TURN = { urls: ["turn:h:3478", "turns:h:5349"], username: "u", credential: "c" };

function serve(body: unknown, init?: ResponseInit) {
	const fetch = vi.fn(async (_url: string, _init: RequestInit) => new Response(JSON.stringify(body), init));
	return { fetch, ice: new IceServers(fetch) };
}

test("the list is asked for once, and there to be had at any time", async () => {
	const { fetch, ice } = serve({ iceServers: [STUN, TURN] });
	expect(ice.get()).toEqual({ iceServers: FALLBACK, nat: { hasTurn: false, loaded: false } });
	await Promise.all([ice.load(), ice.load()]);
	await ice.load();
	expect(fetch).toHaveBeenCalledOnce();
	expect(fetch.mock.calls[0]?.[0]).toBe("/api/v1/config/webrtc");
	expect(ice.get()).toEqual({ iceServers: [STUN, TURN], nat: { hasTurn: true, loaded: true } });
});

test.each([
	["nothing", [], false], ["STUN", [STUN], false], ["TURN", [TURN], true],
	["TURN over TLS only", [{ urls: ["turns:h"], username: "u", credential: "c" }], true],
	["one URL without a list around it", [{ urls: "turn:h", username: "u", credential: "c" }], true],
])("%s", async (_, iceServers, hasTurn) => {
	const { ice } = serve({ iceServers });
	await ice.load();
	expect(ice.get().nat).toEqual({ hasTurn, loaded: true });
});

test("a relay that only participants of rooms get is one, too", async () => {
	const { ice } = serve({ iceServers: [STUN] }, { headers: { "Sterna-Relay": "participants" } });
	await ice.load();
	expect(ice.get()).toEqual({ iceServers: [STUN], nat: { hasTurn: true, loaded: true } });
});

test.each([
	["too often", () => new Response("too many requests", { status: 429 })],
	["a page of a proxy", () => new Response("<!doctype html>")],
	["another answer", () => new Response("{}")],
	["null", () => new Response('{"iceServers":null}')],
	["no connection", () => { throw new TypeError("Failed to fetch"); }],
])("%s: public STUN servers instead", async (_, answer) => {
	const ice = new IceServers(async () => answer());
	await ice.load();
	expect(ice.get()).toEqual({ iceServers: FALLBACK, nat: { hasTurn: false, loaded: true } });
});

test("what is no server is left out", () => {
	expect(readServers({ iceServers: [null, 1, {}, { urls: [] }, { urls: [1] }, STUN] })).toEqual([STUN]);
	expect(readServers({ iceServers: [{ urls: ["turn:h"], username: "u" }] })).toEqual([{ urls: ["turn:h"] }]);
});

test("only a settled answer without a relay is warned of", () => {
	expect(natWarning({ hasTurn: false, loaded: false })).toBeUndefined();
	expect(natWarning({ hasTurn: true, loaded: true })).toBeUndefined();
	expect(natWarning({ hasTurn: false, loaded: true })).toMatch(/warning.*TURN/i);
});
