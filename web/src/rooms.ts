// Names of rooms: in the address bar, and made up for those who have none.

const PREFIX = "/room/";

// The server counts bytes, and takes no more than this for the name of a room or a person.
export const NAME_BYTES_MAX = 128;

/** The room that an address preselects, or undefined. */
export function roomFromPath(path: string): string | undefined {
	if (!path.startsWith(PREFIX)) {
		return undefined;
	}
	try {
		return decodeURIComponent(path.slice(PREFIX.length)).trim() || undefined;
	} catch {
		return undefined; // a lone % or the like
	}
}

export function pathOfRoom(room: string): string {
	return PREFIX + encodeURIComponent(room);
}

// Every other letter a vowel, and none that are misheard or misread: names that can be said on the phone.
const CONSONANTS = "bdfgkmnprstvz";
const VOWELS = "aeiou";

/** "kat-oren-lim". `random` returns numbers from 0 up to and excluding its argument. */
export function inventRoom(random: (below: number) => number = randomBelow): string {
	return [3, 4, 3].map((length, word) => {
		let letters = "";
		for (let i = 0; i < length; i++) {
			const from = (i + word) % 2 === 0 ? CONSONANTS : VOWELS;
			letters += from.charAt(random(from.length));
		}
		return letters;
	}).join("-");
}

function randomBelow(below: number): number {
	const word = new Uint32Array(1);
	crypto.getRandomValues(word);
	return (word[0] ?? 0) % below;
}

/** What is wrong with a name, in words for its owner; undefined if nothing is. */
export function nameProblem(what: "name" | "room", text: string): string | undefined {
	const label = what === "name" ? "Your name" : "The room’s name";
	if (!text.trim()) {
		return what === "name" ? "Enter your name." : "Enter the name of a room.";
	}
	if (new TextEncoder().encode(text.trim()).length > NAME_BYTES_MAX) {
		return `${label} is too long.`;
	}
	return undefined;
}
