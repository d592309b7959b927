// What the page remembers of its user from one visit to the next. Never a token.

export interface Settings {
	name: string;
	wantsCamera: boolean;
	wantsMicrophone: boolean;
	cameraId: string;
	microphoneId: string;
}

const KEY = "sterna.settings";

export const DEFAULTS: Settings = { name: "", wantsCamera: true, wantsMicrophone: true, cameraId: "", microphoneId: "" };

type Store = Pick<Storage, "getItem" | "setItem">;

/** Anything that is missing or of the wrong type is as at the first visit. */
export function loadSettings(store: () => Store = () => localStorage): Settings {
	let saved: unknown;
	try {
		saved = JSON.parse(store().getItem(KEY) ?? "null"); // throws also where storage is forbidden
	} catch {
		return DEFAULTS;
	}
	const values = typeof saved === "object" && saved !== null ? (saved as Record<string, unknown>) : {};
	const text = (key: keyof Settings) => (typeof values[key] === "string" ? values[key] : "");
	return {
		name: text("name"),
		wantsCamera: values.wantsCamera !== false,
		wantsMicrophone: values.wantsMicrophone !== false,
		cameraId: text("cameraId"),
		microphoneId: text("microphoneId"),
	};
}

export function saveSettings(change: Partial<Settings>, store: () => Store = () => localStorage): void {
	try {
		store().setItem(KEY, JSON.stringify({ ...loadSettings(store), ...change }));
	} catch {
		// No storage or no space: the next visit starts afresh.
	}
}
