// Where the page gets its access token from: the address bar, or a server in dev mode.

/** What a token says about its bearer. The server checks it; the page only shows it. */
export interface TokenClaims {
	identity: string | undefined;
	name: string | undefined;
	room: string | undefined;
}

/** A token that came with the address, as `#token=…`. */
export interface GivenToken extends TokenClaims {
	token: string;
}

interface Location {
	hash: string;
	pathname: string;
	search: string;
}

interface History {
	replaceState(data: unknown, unused: string, url: string): void;
}

/**
 * Takes the token out of the fragment and the fragment out of the address bar, so that it is neither shared with a
 * copied link nor kept in the browser's history. A fragment is never sent to a server.
 */
export function takeTokenFromFragment(location: Location, history: History): GivenToken | undefined {
	const token = new URLSearchParams(location.hash.slice(1)).get("token");
	if (token === null) {
		return undefined;
	}
	history.replaceState(null, "", location.pathname + location.search);
	return token ? { token, ...readClaims(token) } : undefined;
}

/** Reads the middle part of a JWT (RFC 7519 §3). Nothing is known of a token that cannot be read. */
export function readClaims(token: string): TokenClaims {
	const nothing = { identity: undefined, name: undefined, room: undefined };
	try {
		const base64 = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
		const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
		const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
		return { identity: text(claims, "sub"), name: text(claims, "name"), room: text(field(claims, "video"), "room") };
	} catch {
		return nothing;
	}
}

export type TokenAnswer =
	| { kind: "token"; token: string; identity: string; room: string }
	| { kind: "not-dev" } // the server has no dev mode: a person with its keys must make a token
	| { kind: "refused"; why: string }
	| { kind: "unreachable" };

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Asks a server in dev mode for a token. Never throws, but for an abort. */
export async function fetchDevToken(
	room: string,
	name: string,
	fetch: Fetch = (url, init) => globalThis.fetch(url, init),
	signal?: AbortSignal,
): Promise<TokenAnswer> {
	const url = `/dev/token?${new URLSearchParams({ room, name })}`;
	let response: Response;
	try {
		response = await fetch(url, { cache: "no-store", credentials: "omit", ...(signal && { signal }) });
	} catch (error) {
		if (signal?.aborted) {
			throw error;
		}
		return { kind: "unreachable" };
	}
	if (response.status === 404) {
		return { kind: "not-dev" };
	}
	if (!response.ok) {
		return { kind: "refused", why: (await response.text().catch(() => "")).slice(0, 200) };
	}
	const answer: unknown = await response.json().catch(() => undefined);
	const token = text(answer, "token");
	if (!token) {
		return { kind: "not-dev" }; // something else answers on this path, as a proxy does with its own page
	}
	return { kind: "token", token, identity: text(answer, "identity") ?? "", room: text(answer, "room") ?? room };
}

/** The command that an operator runs for somebody who has no token. */
export function tokenCommand(room: string): string {
	return `sterna token create --room ${shellWord(room || "ROOM")} --identity NAME`;
}

function shellWord(word: string): string {
	return /^[\w.-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function field(value: unknown, key: string): unknown {
	return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function text(value: unknown, key: string): string | undefined {
	const found = field(value, key);
	return typeof found === "string" && found !== "" ? found : undefined;
}
