// Which STUN and TURN servers there are: asked once per page load, before anybody needs them.

import { Store } from "./store";

/** What a network that lets no direct connection through can hope for. */
export interface Nat {
	/** A server relays media for those who have no other way. */
	hasTurn: boolean;
	/** The answer is in, or will not come any more. */
	loaded: boolean;
}

export interface IceState {
	iceServers: RTCIceServer[];
	nat: Nat;
}

/** For a server that does not answer: a direct connection needs no more than STUN. */
export const FALLBACK: RTCIceServer[] = [
	{ urls: ["stun:stun.l.google.com:19302", "stun:stun1.l.google.com:19302"] },
];

const PATH = "/api/v1/config/webrtc";
const TIMEOUT_MS = 10_000;

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * The servers of this page load. `get().iceServers` is at hand at any time, so that an RTCPeerConnection can be made
 * without waiting: until the answer is in, it is the fallback.
 */
export class IceServers extends Store<IceState> {
	private asked: Promise<void> | undefined;

	constructor(private readonly fetch: Fetch = (url, init) => globalThis.fetch(url, init)) {
		super({ iceServers: FALLBACK, nat: { hasTurn: false, loaded: false } });
	}

	/** Asks the server, but only the first time. Never throws. */
	load(): Promise<void> {
		this.asked ??= this.ask();
		return this.asked;
	}

	private async ask(): Promise<void> {
		try {
			const response = await this.fetch(PATH, {
				cache: "no-store",
				credentials: "omit",
				signal: AbortSignal.timeout(TIMEOUT_MS),
			});
			if (!response.ok) {
				throw new Error(`status ${response.status}`);
			}
			const iceServers = readServers(await response.json());
			// In a room, participants are given a relay that strangers are not.
			const isForRooms = response.headers.get("Sterna-Relay") === "participants";
			this.set({ iceServers, nat: { hasTurn: isForRooms || iceServers.some(isTurn), loaded: true } });
		} catch {
			this.set({ iceServers: FALLBACK, nat: { hasTurn: false, loaded: true } });
		}
	}
}

export const iceServers = new IceServers();

/** Throws if the answer is none: something else answers on this path, as a proxy does with its own page. */
export function readServers(answer: unknown): RTCIceServer[] {
	const list = field(answer, "iceServers");
	if (!Array.isArray(list)) {
		throw new Error("no list of servers");
	}
	return list.flatMap((entry: unknown) => {
		const given = field(entry, "urls");
		const urls = (Array.isArray(given) ? given : [given]).filter((url): url is string => typeof url === "string");
		const [username, credential] = [field(entry, "username"), field(entry, "credential")];
		const isWhole = typeof username === "string" && typeof credential === "string";
		return urls.length ? [isWhole ? { urls, username, credential } : { urls }] : [];
	});
}

/** Hard networks are warned of before the call, not after it has failed. */
export function natWarning(nat: Nat): string | undefined {
	return nat.loaded && !nat.hasTurn
		? "Warning: this server has no relay (TURN). On a strict network, the call may not connect."
		: undefined;
}

function isTurn({ urls }: RTCIceServer): boolean {
	return [urls].flat().some((url) => /^turns?:/i.test(url));
}

function field(value: unknown, key: string): unknown {
	return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
