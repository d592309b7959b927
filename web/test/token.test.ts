import { expect, test, vi } from "vitest";
import { fetchDevToken, readClaims, takeTokenFromFragment, tokenCommand } from "../src/token";

function jwt(claims: unknown): string {
	const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
	return `${part({ alg: "HS256" })}.${part(claims)}.c2lnbmF0dXJl`;
}

const ADA = jwt({ sub: "ada", name: "Ada Lovelace ü李", video: { room: "r1", roomJoin: true } });

function bar(hash: string) {
	return { location: { hash, pathname: "/room/r1", search: "?x=1" }, history: { replaceState: vi.fn() } };
}

test("a token in the fragment is taken and leaves the address bar", () => {
	const { location, history } = bar(`#token=${ADA}`);
	expect(takeTokenFromFragment(location, history)).toEqual({
		token: ADA,
		identity: "ada",
		name: "Ada Lovelace ü李",
		room: "r1",
	});
	expect(history.replaceState).toHaveBeenCalledExactlyOnceWith(null, "", "/room/r1?x=1");
});

test("a token that cannot be read is still taken: the server judges it", () => {
	const { location, history } = bar("#token=garbage");
	expect(takeTokenFromFragment(location, history)).toMatchObject({ token: "garbage", identity: undefined });
});

test("an empty token is none, and leaves the address bar all the same", () => {
	const { location, history } = bar("#token=");
	expect(takeTokenFromFragment(location, history)).toBeUndefined();
	expect(history.replaceState).toHaveBeenCalledOnce();
});

test.each(["", "#", "#top", "#nottoken=x"])("the fragment %j is left alone", (hash) => {
	const { location, history } = bar(hash);
	expect(takeTokenFromFragment(location, history)).toBeUndefined();
	expect(history.replaceState).not.toHaveBeenCalled();
});

test.each(["", "a", "a.b", "a.%%%.c", jwt(null), jwt([]), jwt({ sub: 7, video: "no" })])(
	"nothing is read from %j",
	(token) => {
		expect(readClaims(token)).toEqual({ identity: undefined, name: undefined, room: undefined });
	},
);

test("a server in dev mode gives a token", async () => {
	const fetch = vi.fn(async () => Response.json({ token: "t", identity: "ada-1", room: "a&b" }));
	expect(await fetchDevToken("a&b", "Ada L", fetch)).toEqual({
		kind: "token",
		token: "t",
		identity: "ada-1",
		room: "a&b",
	});
	expect(fetch).toHaveBeenCalledExactlyOnceWith("/dev/token?room=a%26b&name=Ada+L", expect.objectContaining({
		cache: "no-store",
	}));
});

test.each([
	["without dev mode", new Response("not found", { status: 404 }), { kind: "not-dev" }],
	["behind a proxy with a page for all paths", new Response("<!doctype html>"), { kind: "not-dev" }],
	["that refuses", new Response("too long", { status: 400 }), { kind: "refused", why: "too long" }],
])("a server %s", async (_, response, answer) => {
	expect(await fetchDevToken("r", "n", async () => response)).toEqual(answer);
});

test("a server that does not answer", async () => {
	expect(await fetchDevToken("r", "n", () => Promise.reject(new TypeError("failed to fetch")))).toEqual({
		kind: "unreachable",
	});
});

test("an abort is no answer", async () => {
	const abort = new AbortController();
	abort.abort();
	await expect(fetchDevToken("r", "n", () => Promise.reject(new Error("aborted")), abort.signal)).rejects.toThrow();
});

test("the command for the operator can be pasted into a shell", () => {
	expect(tokenCommand("kat-oren-lim")).toBe("sterna token create --room kat-oren-lim --identity NAME");
	expect(tokenCommand("it's; rm -rf")).toContain(`--room 'it'\\''s; rm -rf' `);
	expect(tokenCommand("")).toContain("--room ROOM ");
});
