import { expect, test } from "vitest";
import { AVATAR_COLOURS, avatarColour, initials, listNames } from "../src/people";
import { inventRoom, nameProblem, pathOfRoom, roomFromPath } from "../src/rooms";
import { DEFAULTS, loadSettings, saveSettings } from "../src/settings";
import { shortcutOf } from "../src/shortcuts";

test.each([
	["/room/kat-oren-lim", "kat-oren-lim"], ["/room/a%20b%2Fc", "a b/c"], ["/", undefined], ["/room/", undefined],
	["/room/%", undefined], ["/room/%20", undefined], ["/rooms/x", undefined],
])("the path %s preselects the room %s", (path, room) => {
	expect(roomFromPath(path)).toBe(room);
});

test("a room's path leads back to it", () => {
	for (const room of ["a", "a b", "ü/?#%", "李"]) {
		expect(roomFromPath(pathOfRoom(room))).toBe(room);
	}
});

test("invented rooms look like xxx-xxxx-xxx and differ", () => {
	const rooms = Array.from({ length: 200 }, () => inventRoom((below) => Math.floor(Math.random() * below)));
	for (const room of rooms) {
		expect(room).toMatch(/^[a-z]{3}-[a-z]{4}-[a-z]{3}$/);
	}
	expect(new Set(rooms).size).toBeGreaterThan(195);
	expect(inventRoom(() => 0)).toBe("bab-abab-bab");
});

test("names are needed, and counted in bytes as the server does", () => {
	expect(nameProblem("name", "  ")).toBe("Enter your name.");
	expect(nameProblem("room", "")).toBe("Enter the name of a room.");
	expect(nameProblem("name", "ü".repeat(64))).toBeUndefined();
	expect(nameProblem("name", "ü".repeat(65))).toBe("Your name is too long.");
});

test.each([
	["Ada Lovelace", "AL"], ["ada", "A"], ["Ada B. Lovelace", "AL"], ["ada-lovelace", "AL"], ["李明", "李"],
	["🦊 fox", "🦊F"], ["", "?"], [" . ", "?"],
])("the initials of %j are %s", (name, letters) => {
	expect(initials(name)).toBe(letters);
});

test("colours stay and spread", () => {
	expect(avatarColour("ada")).toBe(avatarColour("ada"));
	const used = new Set(Array.from({ length: 100 }, (_, i) => avatarColour(`person-${i}`)));
	expect(used.size).toBe(AVATAR_COLOURS);
});

test.each([
	[["Ada"], "Ada"], [["Ada", "Bo"], "Ada and Bo"], [["Ada", "Bo", "Cy"], "Ada, Bo and 1 other"],
	[["Ada", "Bo", "Cy", "Di"], "Ada, Bo and 2 others"],
])("%j are told as %s", (names, text) => {
	expect(listNames(names)).toBe(text);
});

const KEY = { key: "m", ctrlKey: false, altKey: false, metaKey: false, repeat: false };

test("shortcuts are letters alone, and not those one types", () => {
	const names = { m: 1, v: 1 };
	expect(shortcutOf(KEY, false, names)).toBe("m");
	expect(shortcutOf({ ...KEY, key: "V" }, false, names)).toBe("v");
	expect(shortcutOf(KEY, true, names)).toBeUndefined();
	expect(shortcutOf({ ...KEY, ctrlKey: true }, false, names)).toBeUndefined();
	expect(shortcutOf({ ...KEY, repeat: true }, false, names)).toBeUndefined();
	expect(shortcutOf({ ...KEY, key: "toString" }, false, names)).toBeUndefined();
});

function storage(text: string | null) {
	const store = { text, getItem: () => store.text, setItem: (_: string, value: string) => void (store.text = value) };
	return store;
}

test("settings are remembered one by one", () => {
	const store = storage(null);
	expect(loadSettings(() => store)).toEqual(DEFAULTS);
	saveSettings({ name: "Ada" }, () => store);
	saveSettings({ wantsCamera: false }, () => store);
	expect(loadSettings(() => store)).toEqual({ ...DEFAULTS, name: "Ada", wantsCamera: false });
});

test.each(["null", "7", "[]", "{", `{"name":7,"wantsCamera":"x"}`])("stored %s does no harm", (text) => {
	expect(loadSettings(() => storage(text))).toEqual(DEFAULTS);
});

test("forbidden storage does no harm", () => {
	const forbidden = () => {
		throw new DOMException("denied", "SecurityError");
	};
	expect(loadSettings(forbidden)).toEqual(DEFAULTS);
	expect(() => saveSettings({ name: "Ada" }, forbidden)).not.toThrow();
});
