// The course of a call as a function of what happened. What is sent and received is another matter: see call.ts.

import { listNames } from "./people";
import type { Ending } from "./problems";

export type Status = "idle" | "connecting" | "connected" | "reconnecting" | "disconnected";

export interface CallState {
	status: Status;
	/** Why the call is over; set exactly when `status` is "disconnected". */
	ending: Ending | undefined;
	/** Something that did not work, until it is dismissed or another takes its place. */
	problem: string | undefined;
	/** What a screen reader says next. The count tells two equal texts apart. */
	announcement: { text: string; count: number };
	/** The browser plays no sound before somebody clicks. */
	isSoundBlocked: boolean;
}

export type CallEvent =
	| { type: "connecting"; room: string }
	| { type: "connected"; others: readonly string[] }
	| { type: "reconnecting" }
	| { type: "reconnected" }
	| { type: "ended"; ending: Ending }
	| { type: "joined"; names: readonly string[] }
	| { type: "left"; names: readonly string[] }
	| { type: "switched"; device: "camera" | "microphone" | "screen"; isOn: boolean }
	| { type: "problem"; text: string }
	| { type: "dismissed" }
	| { type: "sound"; isBlocked: boolean };

export const START: CallState = {
	status: "idle",
	ending: undefined,
	problem: undefined,
	announcement: { text: "", count: 0 },
	isSoundBlocked: false,
};

export function reduce(state: CallState, event: CallEvent): CallState {
	// A call that is over stays over, whatever still comes in from it.
	if (state.status === "disconnected" && event.type !== "connecting") {
		return state;
	}
	switch (event.type) {
		case "connecting":
			return say({ ...START, announcement: state.announcement, status: "connecting" }, `Connecting to ${event.room}`);
		case "connected":
			return say({ ...state, status: "connected" }, event.others.length
				? `Connected. In the room: ${listNames(event.others)}`
				: "Connected. Nobody else is here yet");
		case "reconnecting":
			return state.status === "reconnecting" ? state : say({ ...state, status: "reconnecting" }, "Reconnecting");
		case "reconnected":
			return state.status === "reconnecting" ? say({ ...state, status: "connected" }, "Connected again") : state;
		case "ended":
			return say(
				{ ...state, status: "disconnected", ending: event.ending, problem: undefined, isSoundBlocked: false },
				`${event.ending.title}. ${event.ending.text}`,
			);
		case "joined":
			return say(state, `${listNames(event.names)} joined`);
		case "left":
			return say(state, `${listNames(event.names)} left`);
		case "switched":
			return say({ ...state, problem: undefined }, switchText(event.device, event.isOn));
		case "problem":
			return { ...state, problem: event.text };
		case "dismissed":
			return { ...state, problem: undefined };
		case "sound":
			return { ...state, isSoundBlocked: event.isBlocked };
	}
}

function switchText(device: "camera" | "microphone" | "screen", isOn: boolean): string {
	switch (device) {
		case "camera":
			return isOn ? "Your camera is on" : "Your camera is off";
		case "microphone":
			return isOn ? "You are unmuted" : "You are muted";
		case "screen":
			return isOn ? "You are sharing your screen" : "You stopped sharing your screen";
	}
}

function say(state: CallState, text: string): CallState {
	return { ...state, announcement: { text, count: state.announcement.count + 1 } };
}
