import { useSyncExternalStore } from "react";

/** Something outside of React that has a state and says when it changes. */
export class Store<State> {
	private readonly listeners = new Set<() => void>();

	constructor(private current: State) {}

	readonly subscribe = (listener: () => void): (() => void) => {
		this.listeners.add(listener);
		return () => this.listeners.delete(listener);
	};

	readonly get = (): State => this.current;

	protected set(next: State): void {
		if (next !== this.current) {
			this.current = next;
			this.listeners.forEach((listener) => listener());
		}
	}
}

export function useStore<State>(store: Store<State>): State {
	return useSyncExternalStore(store.subscribe, store.get);
}
