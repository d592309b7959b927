import { expect, test } from "vitest";
import { type CallEvent, type CallState, reduce, START } from "../src/state";

const ENDING = { title: "Over", text: "It is over.", canRejoin: true };

function after(...events: CallEvent[]): CallState {
	return events.reduce(reduce, START);
}

const CONNECTED: CallEvent[] = [{ type: "connecting", room: "r" }, { type: "connected", others: [] }];

test("a call goes from idle through connecting to connected", () => {
	expect(START.status).toBe("idle");
	expect(after({ type: "connecting", room: "r" }).status).toBe("connecting");
	expect(after(...CONNECTED).status).toBe("connected");
});

test("it says who is there already", () => {
	const state = after({ type: "connecting", room: "r" }, { type: "connected", others: ["Ada", "Bo", "Cy"] });
	expect(state.announcement.text).toBe("Connected. In the room: Ada, Bo and 1 other");
});

test("reconnecting is told once, however often it is tried", () => {
	const once = after(...CONNECTED, { type: "reconnecting" });
	expect(once.status).toBe("reconnecting");
	expect(reduce(once, { type: "reconnecting" })).toBe(once);
	expect(reduce(once, { type: "reconnected" })).toMatchObject({
		status: "connected",
		announcement: { text: "Connected again" },
	});
});

test("a reconnection that nobody waited for changes nothing", () => {
	const state = after(...CONNECTED);
	expect(reduce(state, { type: "reconnected" })).toBe(state);
});

test("a call that is over has an ending and stays over", () => {
	const over = after(...CONNECTED, { type: "problem", text: "x" }, { type: "ended", ending: ENDING });
	expect(over).toMatchObject({ status: "disconnected", ending: ENDING, problem: undefined });
	expect(over.announcement.text).toBe("Over. It is over.");
	for (const late of [{ type: "reconnected" }, { type: "joined", names: ["Ada"] }, { type: "sound", isBlocked: true }]) {
		expect(reduce(over, late as CallEvent)).toBe(over);
	}
});

test("joining again forgets the ending", () => {
	const state = after(...CONNECTED, { type: "ended", ending: ENDING }, { type: "connecting", room: "r" });
	expect(state).toMatchObject({ status: "connecting", ending: undefined });
});

test("the same announcement twice is told twice", () => {
	const once = after(...CONNECTED, { type: "joined", names: ["Ada"] });
	const twice = reduce(once, { type: "joined", names: ["Ada"] });
	expect(twice.announcement.text).toBe("Ada joined");
	expect(twice.announcement.count).toBe(once.announcement.count + 1);
});

test("a device that works again clears the problem", () => {
	const state = after(...CONNECTED, { type: "problem", text: "no camera" });
	expect(state.problem).toBe("no camera");
	expect(reduce(state, { type: "dismissed" }).problem).toBeUndefined();
	expect(reduce(state, { type: "switched", device: "camera", isOn: true })).toMatchObject({
		problem: undefined,
		announcement: { text: "Your camera is on" },
	});
});

test("muting is announced", () => {
	const muted = after(...CONNECTED, { type: "switched", device: "microphone", isOn: false });
	expect(muted.announcement.text).toBe("You are muted");
});

test("blocked sound is known until it plays", () => {
	const blocked = after(...CONNECTED, { type: "sound", isBlocked: true });
	expect(blocked.isSoundBlocked).toBe(true);
	expect(reduce(blocked, { type: "sound", isBlocked: false }).isSoundBlocked).toBe(false);
});
