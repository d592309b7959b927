// One call: joining, the devices during it, and its end. The page sees it as a state that changes.

import {
	ConnectionError, ConnectionErrorReason, DisconnectReason, type LocalAudioTrack, type LocalVideoTrack, type Participant,
	type RemoteParticipant, Room, RoomEvent, Track,
} from "livekit-client";
import { idealDevice, listDevices, type LocalMedia, mediaDevices, type PreviewState } from "./preview";
import { type Device, deviceFailure, type DeviceFailure, deviceText, type Ending, endingOf, failureOf } from "./problems";
import { type Person, rosterOf } from "./roster";
import { type CallEvent, type CallState, reduce, START } from "./state";
import { Store } from "./store";
import { fetchDevToken, type GivenToken, tokenCommand } from "./token";
import { saveSettings } from "./settings";

export interface CallView extends CallState, Pick<PreviewState, "cameras" | "microphones"> {
	room: string;
	people: readonly Person[];
	/** Why one's own tile shows no picture although one was wanted. */
	cameraFailure: DeviceFailure | undefined;
	cameraId: string;
	microphoneId: string;
	isSharingScreen: boolean;
	/** False for those who may only watch and listen. */
	canPublish: boolean;
}

export interface CallOptions {
	room: string;
	name: string;
	given: GivenToken | undefined;
}

// Comings and goings within this time are told in one sentence.
const ANNOUNCE_AFTER_MS = 400;

// Everything that can change what a tile shows.
const ROSTER_EVENTS = [
	RoomEvent.TrackPublished, RoomEvent.TrackUnpublished, RoomEvent.TrackSubscribed, RoomEvent.TrackUnsubscribed,
	RoomEvent.TrackMuted, RoomEvent.TrackUnmuted, RoomEvent.LocalTrackPublished, RoomEvent.LocalTrackUnpublished,
	RoomEvent.ActiveSpeakersChanged, RoomEvent.ParticipantNameChanged, RoomEvent.ParticipantPermissionsChanged,
	RoomEvent.ParticipantConnected, RoomEvent.ParticipantDisconnected,
] as const;

declare global {
	interface Window {
		/** For tests that drive the page. */
		__sterna?: { room: Room };
	}
}

// A rejoin is a new call; the page tells them apart by number.
let calls = 0;

export class Call extends Store<CallView> {
	readonly id = ++calls;
	private connection: Room | undefined;
	private abort = new AbortController();
	/** Tracks of the preview until they are published: shown at once, and stopped if it never comes to that. */
	private pending: { camera?: LocalVideoTrack; microphone?: LocalAudioTrack } = {};
	private publishing: Promise<unknown> | undefined;
	private comings: { joined: string[]; left: string[] } = { joined: [], left: [] };
	private announceTimer: ReturnType<typeof setTimeout> | undefined;
	private isRefreshing = false;

	constructor(readonly options: CallOptions) {
		super({
			...START,
			room: options.room,
			people: [],
			cameras: [],
			microphones: [],
			cameraFailure: undefined,
			cameraId: "",
			microphoneId: "",
			isSharingScreen: false,
			canPublish: true,
		});
	}

	/** Joins with the devices that the preview handed over. Never throws: what fails becomes the ending. */
	async join(media: LocalMedia): Promise<void> {
		const { cameraFailure, cameraId, microphoneId } = media;
		this.abort = new AbortController();
		this.pending = {
			...(media.camera && { camera: media.camera }),
			...(media.microphone && { microphone: media.microphone }),
		};
		this.set({ ...this.get(), cameraFailure, cameraId, microphoneId });
		this.happen({ type: "connecting", room: this.options.room });
		this.refresh();
		mediaDevices()?.addEventListener("devicechange", this.list);
		void this.list();

		const room = this.makeRoom();
		try {
			const token = await this.token();
			if (typeof token !== "string") {
				this.finish(room, token);
				return;
			}
			this.abort.signal.throwIfAborted();
			await room.connect(serverUrl(), token);
		} catch (error) {
			this.finish(room, this.abort.signal.aborted ? endingOf(DisconnectReason.CLIENT_INITIATED) : failureOf(error));
			return;
		}
		const others = [...room.remoteParticipants.values()].map(nameOf);
		this.happen({ type: "connected", others });
		this.happen({ type: "sound", isBlocked: !room.canPlaybackAudio });
		this.refresh();
		await this.publishPending(room);
	}

	leave(): void {
		const room = this.connection;
		this.abort.abort();
		if (room) {
			this.finish(room, endingOf(DisconnectReason.CLIENT_INITIATED));
		}
	}

	async toggle(device: Device): Promise<void> {
		const local = this.connection?.localParticipant;
		if (!local || this.get().status === "connecting") {
			return;
		}
		await this.publishing; // a switch before that would start the device a second time
		const isOn = device === "camera" ? !local.isCameraEnabled : !local.isMicrophoneEnabled;
		const { cameraId, microphoneId } = this.get();
		try {
			if (!mediaDevices()) {
				throw new InsecurePage();
			}
			if (device === "camera") {
				await local.setCameraEnabled(isOn, idealDevice(cameraId));
			} else {
				await local.setMicrophoneEnabled(isOn, idealDevice(microphoneId));
			}
			saveSettings(device === "camera" ? { wantsCamera: isOn } : { wantsMicrophone: isOn });
			this.set({ ...this.get(), ...(device === "camera" && { cameraFailure: undefined }) });
			this.happen({ type: "switched", device, isOn });
		} catch (error) {
			this.deviceFailed(device, error);
		}
		this.refresh();
	}

	async choose(device: Device, id: string): Promise<void> {
		const change = device === "camera" ? { cameraId: id } : { microphoneId: id };
		this.set({ ...this.get(), ...change });
		saveSettings(change);
		try {
			await this.connection?.switchActiveDevice(device === "camera" ? "videoinput" : "audioinput", id);
		} catch (error) {
			this.deviceFailed(device, error);
		}
	}

	async toggleScreen(): Promise<void> {
		const local = this.connection?.localParticipant;
		const isOn = !this.get().isSharingScreen;
		try {
			await local?.setScreenShareEnabled(isOn, { audio: true });
			this.happen({ type: "switched", device: "screen", isOn });
		} catch (error) {
			// Closing the browser's dialogue is a decision, not a failure.
			if (deviceFailure(error) !== "denied") {
				this.happen({ type: "problem", text: "Your screen could not be shared." });
			}
		}
		this.refresh();
	}

	/** Must be called from a click. */
	async hear(): Promise<void> {
		await this.connection?.startAudio().catch(() => undefined);
	}

	dismiss(): void {
		this.happen({ type: "dismissed" });
	}

	private async token(): Promise<string | Ending> {
		const { given, room, name } = this.options;
		if (given) {
			return given.token;
		}
		const answer = await fetchDevToken(room, name, undefined, this.abort.signal);
		switch (answer.kind) {
			case "token":
				return answer.token;
			case "not-dev":
				return {
					title: "A token is needed",
					text: `This server gives none to strangers. Its operator makes one with: ${tokenCommand(room)}`,
					canRejoin: false,
				};
			case "refused":
				return { title: "The server refused", text: answer.why || "It gave no reason.", canRejoin: true };
			case "unreachable":
				return failureOf(ConnectionError.serverUnreachable("no answer"));
		}
	}

	private makeRoom(): Room {
		const room = new Room({
			adaptiveStream: true,
			dynacast: true,
			audioCaptureDefaults: idealDevice(this.get().microphoneId),
			videoCaptureDefaults: { resolution: { width: 1280, height: 720 }, ...idealDevice(this.get().cameraId) },
		});
		this.connection = room;
		window.__sterna = { room };
		room
			.on(RoomEvent.Reconnecting, () => this.happen({ type: "reconnecting" }))
			.on(RoomEvent.SignalReconnecting, () => this.happen({ type: "reconnecting" }))
			.on(RoomEvent.Reconnected, () => {
				this.happen({ type: "reconnected" });
				this.refresh();
			})
			.on(RoomEvent.Disconnected, (reason) => {
				// Before the first connection, connect() says more about what went wrong.
				if (this.get().status !== "connecting") {
					this.finish(room, endingOf(reason));
				}
			})
			.on(RoomEvent.ParticipantConnected, (p: RemoteParticipant) => this.announce("joined", nameOf(p)))
			.on(RoomEvent.ParticipantDisconnected, (p: RemoteParticipant) => this.announce("left", nameOf(p)))
			.on(RoomEvent.AudioPlaybackStatusChanged, () => {
				this.happen({ type: "sound", isBlocked: !room.canPlaybackAudio });
			})
			.on(RoomEvent.MediaDevicesError, (error: Error, kind?: MediaDeviceKind) => {
				if (kind === "videoinput" || kind === "audioinput") {
					this.deviceFailed(kind === "videoinput" ? "camera" : "microphone", error);
				}
			});
		for (const event of ROSTER_EVENTS) {
			room.on(event, this.refresh);
		}
		return room;
	}

	private async publishPending(room: Room): Promise<void> {
		const { camera, microphone } = this.pending;
		if (room.localParticipant.permissions?.canPublish === false) {
			this.stopPending();
			this.refresh();
			return;
		}
		const publish = async (device: Device, track: LocalAudioTrack | LocalVideoTrack | undefined) => {
			if (!track) {
				return;
			}
			try {
				const source = device === "camera" ? Track.Source.Camera : Track.Source.Microphone;
				await room.localParticipant.publishTrack(track, { source });
			} catch {
				track.stop();
				if (this.get().status !== "disconnected") {
					this.happen({ type: "problem", text: `The server did not take your ${device}. Switch it on to try again.` });
				}
			}
			delete this.pending[device];
		};
		this.publishing = Promise.all([publish("microphone", microphone), publish("camera", camera)]);
		await this.publishing;
		this.refresh();
	}

	private stopPending(): void {
		this.pending.camera?.stop();
		this.pending.microphone?.stop();
		this.pending = {};
	}

	/** The one way out, whoever ended the call. */
	private finish(room: Room, ending: Ending): void {
		if (this.connection !== room) {
			return;
		}
		this.connection = undefined;
		clearTimeout(this.announceTimer);
		this.announceTimer = undefined;
		mediaDevices()?.removeEventListener("devicechange", this.list);
		this.stopPending();
		for (const publication of room.localParticipant.trackPublications.values()) {
			publication.track?.stop();
		}
		this.happen({ type: "ended", ending });
		this.set({ ...this.get(), people: [], isSharingScreen: false, cameraFailure: undefined });
		void room.disconnect(true);
	}

	private deviceFailed(device: Device, error: unknown): void {
		if (error instanceof ConnectionError && error.reason === ConnectionErrorReason.Cancelled) {
			return;
		}
		const failure = error instanceof InsecurePage ? "insecure" : deviceFailure(error);
		if (device === "camera") {
			this.set({ ...this.get(), cameraFailure: failure });
		}
		this.happen({ type: "problem", text: deviceText(device, failure) });
	}

	private announce(what: "joined" | "left", name: string): void {
		this.comings[what].push(name);
		this.announceTimer ??= setTimeout(() => {
			this.announceTimer = undefined;
			const { joined, left } = this.comings;
			this.comings = { joined: [], left: [] };
			if (left.length) {
				this.happen({ type: "left", names: left });
			}
			if (joined.length) {
				this.happen({ type: "joined", names: joined });
			}
		}, ANNOUNCE_AFTER_MS);
	}

	private happen(event: CallEvent): void {
		this.set({ ...this.get(), ...reduce(this.get(), event) });
	}

	private readonly list = async (): Promise<void> => {
		this.set({ ...this.get(), ...await listDevices() });
	};

	/** Takes the roster anew, once for all events of one turn of the event loop. */
	private readonly refresh = (): void => {
		if (this.isRefreshing) {
			return;
		}
		this.isRefreshing = true;
		queueMicrotask(() => {
			this.isRefreshing = false;
			const room = this.connection;
			if (!room) {
				return;
			}
			const people = rosterOf(room).map((person) => (person.isLocal ? this.withPending(person) : person));
			this.set({
				...this.get(),
				people,
				isSharingScreen: room.localParticipant.isScreenShareEnabled,
				canPublish: room.localParticipant.permissions?.canPublish !== false,
			});
		});
	};

	private withPending(person: Person): Person {
		return {
			...person,
			name: person.name || this.options.name,
			camera: person.camera ?? this.pending.camera,
			isMuted: person.isMuted && !this.pending.microphone,
		};
	}
}

class InsecurePage extends Error {}

function nameOf(participant: Participant): string {
	return participant.name || participant.identity;
}

/** The server that the page came from. */
function serverUrl(): string {
	return `${window.location.protocol === "https:" ? "wss" : "ws"}://${window.location.host}`;
}
