import { useEffect, useRef } from "react";

const TYPING = "input, textarea, select, [contenteditable]";

interface Key {
	key: string;
	ctrlKey: boolean;
	altKey: boolean;
	metaKey: boolean;
	repeat: boolean;
}

/** Which of the shortcuts a key press means. Keys held down, with a modifier, or typed into a field mean none. */
export function shortcutOf<Name extends string>(
	event: Key,
	isTyping: boolean,
	names: Readonly<Record<Name, unknown>>,
): Name | undefined {
	const key = event.key.toLowerCase();
	const isPlain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.repeat;
	return isPlain && !isTyping && Object.hasOwn(names, key) ? (key as Name) : undefined;
}

/** Single letters that work anywhere on the page. */
export function useShortcuts(actions: Readonly<Record<string, () => void>>): void {
	const latest = useRef(actions);
	useEffect(() => {
		latest.current = actions;
	});
	useEffect(() => {
		const onKey = (event: KeyboardEvent) => {
			const isTyping = event.target instanceof Element && event.target.closest(TYPING) !== null;
			const name = shortcutOf(event, isTyping, latest.current);
			if (name !== undefined) {
				event.preventDefault();
				latest.current[name]?.();
			}
		};
		window.addEventListener("keydown", onKey);
		return () => window.removeEventListener("keydown", onKey);
	}, []);
}
