// What can go wrong, in words that say what to do next.

import { ConnectionError, ConnectionErrorReason, DisconnectReason } from "livekit-client";

export type Device = "camera" | "microphone";

/** Why there is no picture or no sound from a device. */
export type DeviceFailure = "denied" | "missing" | "busy" | "insecure" | "other";

/** Sorts the errors of getUserMedia (Media Capture and Streams §10.2), old spellings included. */
export function deviceFailure(error: unknown): DeviceFailure {
	const name = error instanceof Error || error instanceof DOMException ? error.name : "";
	switch (name) {
		case "NotAllowedError":
		case "PermissionDeniedError":
		case "SecurityError":
			return "denied";
		case "NotFoundError":
		case "DevicesNotFoundError":
		case "OverconstrainedError":
			return "missing";
		case "NotReadableError":
		case "TrackStartError":
		case "AbortError":
			return "busy";
		default:
			return "other";
	}
}

const PAST: Record<Device, string> = {
	camera: "You can still join without a picture.",
	microphone: "You can still join to listen.",
};

/** For the page before a call, and for a device that is switched on during one. */
export function deviceText(device: Device, failure: DeviceFailure): string {
	switch (failure) {
		case "denied":
			return `The browser does not let this page use your ${device}. Allow it in the site’s settings, left of the address, and switch the ${device} on again. ${PAST[device]}`;
		case "missing":
			return `No ${device} was found. Plug one in and switch it on. ${PAST[device]}`;
		case "busy":
			return `Your ${device} is in use by another program or does not start. Close that program and switch the ${device} on again. ${PAST[device]}`;
		case "insecure":
			return `Browsers give a ${device} only to pages opened over HTTPS or on localhost. ${PAST[device]}`;
		case "other":
			return `Your ${device} could not be started. ${PAST[device]}`;
	}
}

/** The same in the corner of a tile. */
export function deviceLabel(device: Device, failure: DeviceFailure): string {
	switch (failure) {
		case "denied":
		case "insecure":
			return `${device === "camera" ? "Camera" : "Microphone"} not allowed`;
		case "missing":
			return `No ${device}`;
		case "busy":
			return `${device === "camera" ? "Camera" : "Microphone"} in use elsewhere`;
		case "other":
			return `${device === "camera" ? "Camera" : "Microphone"} failed`;
	}
}

/** Why a call is over. */
export interface Ending {
	title: string;
	text: string;
	/** Would the same again help? */
	canRejoin: boolean;
	/** It is what the user asked for. */
	isWanted?: boolean;
}

const LEFT: Ending = {
	title: "You left the call",
	text: "Your camera and microphone are off.",
	canRejoin: true,
	isWanted: true,
};

export function endingOf(reason: DisconnectReason | undefined): Ending {
	switch (reason) {
		case DisconnectReason.CLIENT_INITIATED:
			return LEFT;
		case DisconnectReason.DUPLICATE_IDENTITY:
			return {
				title: "You joined from somewhere else",
				text: "The same person is in this room from another tab or device, so this one was disconnected.",
				canRejoin: true,
			};
		case DisconnectReason.SERVER_SHUTDOWN:
			return {
				title: "The server is shutting down",
				text: "It may be restarting: try again in a moment.",
				canRejoin: true,
			};
		case DisconnectReason.PARTICIPANT_REMOVED:
			return { title: "You were removed", text: "Somebody in charge took you out of the room.", canRejoin: false };
		case DisconnectReason.ROOM_DELETED:
		case DisconnectReason.ROOM_CLOSED:
			return { title: "The room was closed", text: "The call is over for everybody.", canRejoin: true };
		case DisconnectReason.MEDIA_FAILURE:
			return {
				title: "No media connection",
				text: "The server was reached, but sound and picture were not: a firewall may block UDP to it.",
				canRejoin: true,
			};
		case DisconnectReason.CONNECTION_TIMEOUT:
			return { title: "The server stopped answering", text: "Check your network, then rejoin.", canRejoin: true };
		case DisconnectReason.JOIN_FAILURE:
			return { title: "The server let nobody in", text: "It could not take this join. Try again.", canRejoin: true };
		case DisconnectReason.STATE_MISMATCH:
		case DisconnectReason.SIGNAL_CLOSE:
		case DisconnectReason.MIGRATION:
		default:
			return {
				title: "The connection was lost",
				text: "Reconnecting did not work. Check your network, then rejoin.",
				canRejoin: true,
			};
	}
}

/** Why a call did not come about. */
export function failureOf(error: unknown): Ending {
	const unreachable: Ending = {
		title: "The server cannot be reached",
		text: "Check your network and that the server runs, then try again.",
		canRejoin: true,
	};
	if (!(error instanceof ConnectionError)) {
		return { title: "Joining failed", text: messageOf(error), canRejoin: true };
	}
	switch (error.reason) {
		case ConnectionErrorReason.NotAllowed:
			return error.status === 404
				? { title: "There is no such room", text: "It must be made before anybody can join it.", canRejoin: true }
				: {
					title: "The server does not accept this token",
					text: "It may have run out, be for another room, or be signed with another key. Ask for a new one.",
					canRejoin: false,
				};
		case ConnectionErrorReason.LeaveRequest:
			return endingOf(error.context as DisconnectReason | undefined);
		case ConnectionErrorReason.Cancelled:
			return LEFT;
		case ConnectionErrorReason.InternalError:
			return { title: "The server could not do it", text: messageOf(error), canRejoin: true };
		case ConnectionErrorReason.Timeout:
			return { title: "The server took too long", text: unreachable.text, canRejoin: true };
		default:
			return unreachable;
	}
}

function messageOf(error: unknown): string {
	const text = error instanceof Error ? error.message : String(error);
	return text ? `What it said: ${text}` : "Try again.";
}
