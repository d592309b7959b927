import { ConnectionError, DisconnectReason } from "livekit-client";
import { expect, test } from "vitest";
import { type Device, deviceFailure, type DeviceFailure, deviceLabel, deviceText, endingOf, failureOf } from "../src/problems";

function named(name: string): Error {
	return Object.assign(new Error("browser's words"), { name });
}

test.each([
	["NotAllowedError", "denied"], ["NotFoundError", "missing"], ["OverconstrainedError", "missing"],
	["NotReadableError", "busy"], ["TypeError", "other"],
])("%s means that the device is %s", (name, failure) => {
	expect(deviceFailure(named(name))).toBe(failure);
});

test("what is thrown need not be an error", () => {
	expect(deviceFailure("nonsense")).toBe("other");
	expect(deviceFailure(undefined)).toBe("other");
});

test("every failure of a device has its own words and says that joining still works", () => {
	const failures: DeviceFailure[] = ["denied", "missing", "busy", "insecure", "other"];
	for (const device of ["camera", "microphone"] as Device[]) {
		const texts = failures.map((f) => deviceText(device, f));
		expect(new Set(texts).size).toBe(failures.length);
		for (const text of texts) {
			expect(text).toContain(device);
			expect(text).toContain("You can still join");
		}
	}
	expect(deviceLabel("camera", "missing")).toBe("No camera");
});

test("every reason for a disconnection has words, and none shows a number", () => {
	const reasons = Object.values(DisconnectReason).filter((r): r is DisconnectReason => typeof r === "number");
	expect(reasons.length).toBeGreaterThan(10);
	for (const reason of [...reasons, undefined]) {
		const { title, text } = endingOf(reason);
		expect(title).not.toBe("");
		expect(text).toMatch(/\.$/);
		expect(title + text).not.toMatch(/\d|undefined/);
	}
});

test("those who were put out are not invited to come back at once", () => {
	expect(endingOf(DisconnectReason.PARTICIPANT_REMOVED).canRejoin).toBe(false);
	expect(endingOf(DisconnectReason.SERVER_SHUTDOWN).canRejoin).toBe(true);
});

test("leaving is no failure", () => {
	expect(endingOf(DisconnectReason.CLIENT_INITIATED)).toMatchObject({ title: "You left the call", isWanted: true });
	expect(endingOf(DisconnectReason.SERVER_SHUTDOWN).isWanted).toBeUndefined();
});

test("a refused token is told apart from a server that is not there", () => {
	expect(failureOf(ConnectionError.notAllowed("invalid token", 401))).toMatchObject({
		title: "The server does not accept this token",
		canRejoin: false,
	});
	expect(failureOf(ConnectionError.notAllowed("no room", 404)).title).toBe("There is no such room");
	expect(failureOf(ConnectionError.serverUnreachable("gone")).title).toBe("The server cannot be reached");
	expect(failureOf(ConnectionError.leaveRequest("x", DisconnectReason.SERVER_SHUTDOWN))).toEqual(
		endingOf(DisconnectReason.SERVER_SHUTDOWN),
	);
	expect(failureOf(new Error("odd"))).toMatchObject({ title: "Joining failed", text: "What it said: odd" });
});
