// How people are shown while no camera shows them.

export const AVATAR_COLOURS = 8;

/** One or two letters: of the first and the last word. */
export function initials(name: string): string {
	const words = name.trim().split(/[\s._-]+/u).filter(Boolean);
	const letter = (word: string | undefined) => (word ? [...word][0] ?? "" : "");
	const first = letter(words[0]);
	const last = words.length > 1 ? letter(words.at(-1)) : "";
	return (first + last).toLocaleUpperCase() || "?";
}

/** The same colour for the same identity on all screens: FNV-1a. */
export function avatarColour(identity: string): number {
	let hash = 0x811c9dc5;
	for (const byte of new TextEncoder().encode(identity)) {
		hash = Math.imul(hash ^ byte, 0x01000193);
	}
	return (hash >>> 0) % AVATAR_COLOURS;
}

/** "Ada", "Ada and Bo", "Ada, Bo and 3 others" */
export function listNames(names: readonly string[]): string {
	const [first, second] = names;
	if (names.length <= 2) {
		return [first, second].filter(Boolean).join(" and ");
	}
	const others = names.length - 2;
	return `${first}, ${second} and ${others} ${others === 1 ? "other" : "others"}`;
}
