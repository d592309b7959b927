// The camera and microphone before a call: started, shown and chosen here, then handed to the call as they are.

import { createLocalTracks, type LocalAudioTrack, type LocalTrack, type LocalVideoTrack, Track } from "livekit-client";
import { type Device, type DeviceFailure, deviceFailure } from "./problems";
import { loadSettings, saveSettings } from "./settings";
import { Store } from "./store";

export type DeviceState<T> =
	| { kind: "off" }
	| { kind: "starting" }
	| { kind: "on"; track: T }
	| { kind: "failed"; failure: DeviceFailure };

export interface PreviewState {
	camera: DeviceState<LocalVideoTrack>;
	microphone: DeviceState<LocalAudioTrack>;
	cameras: readonly MediaDeviceInfo[];
	microphones: readonly MediaDeviceInfo[];
	cameraId: string;
	microphoneId: string;
}

export interface LocalMedia {
	camera: LocalVideoTrack | undefined;
	microphone: LocalAudioTrack | undefined;
	cameraFailure: DeviceFailure | undefined;
	cameraId: string;
	microphoneId: string;
}

export class Preview extends Store<PreviewState> {
	// Each start or stop of a device outdates the ones before it: a camera that comes late is let go at once.
	private turn = { camera: 0, microphone: 0 };
	private isOver = false;

	constructor() {
		const { cameraId, microphoneId } = loadSettings();
		super({
			camera: { kind: "off" },
			microphone: { kind: "off" },
			cameras: [],
			microphones: [],
			cameraId,
			microphoneId,
		});
	}

	/** Asks for what was on at the last visit, with one question for both where the browser can. */
	async start(): Promise<void> {
		const { wantsCamera, wantsMicrophone } = loadSettings();
		const media = mediaDevices();
		media?.addEventListener("devicechange", this.list);
		await this.list();
		const wanted: Device[] = [];
		if (wantsCamera) {
			wanted.push("camera");
		}
		if (wantsMicrophone) {
			wanted.push("microphone");
		}
		await this.acquire(wanted);
	}

	async toggle(device: Device): Promise<void> {
		const { kind } = this.get()[device];
		const isOn = kind === "on" || kind === "starting";
		saveSettings(device === "camera" ? { wantsCamera: !isOn } : { wantsMicrophone: !isOn });
		if (isOn) {
			this.release(device, { kind: "off" });
		} else {
			await this.acquire([device]);
		}
	}

	async choose(device: Device, id: string): Promise<void> {
		this.set({ ...this.get(), ...(device === "camera" ? { cameraId: id } : { microphoneId: id }) });
		saveSettings(device === "camera" ? { cameraId: id } : { microphoneId: id });
		const { kind } = this.get()[device];
		if (kind === "on" || kind === "failed") {
			await this.acquire([device]);
		}
	}

	/** Ends the preview and hands over what is on. */
	take(): LocalMedia {
		const { camera, microphone, cameraId, microphoneId } = this.get();
		this.isOver = true;
		mediaDevices()?.removeEventListener("devicechange", this.list);
		this.set({ ...this.get(), camera: { kind: "off" }, microphone: { kind: "off" } });
		return {
			camera: camera.kind === "on" ? camera.track : undefined,
			microphone: microphone.kind === "on" ? microphone.track : undefined,
			cameraFailure: camera.kind === "failed" ? camera.failure : undefined,
			cameraId,
			microphoneId,
		};
	}

	/** Ends the preview and lets go of the devices. */
	stop(): void {
		const { camera, microphone } = this.take();
		camera?.stop();
		microphone?.stop();
	}

	private release(device: Device, next: DeviceState<never>): number {
		const state = this.get()[device];
		if (state.kind === "on") {
			state.track.stop();
		}
		this.set({ ...this.get(), [device]: next });
		return ++this.turn[device];
	}

	private async acquire(devices: readonly Device[]): Promise<void> {
		if (!devices.length) {
			return;
		}
		const turns = devices.map((device) => this.release(device, { kind: "starting" }));
		if (!mediaDevices()) {
			devices.forEach((device) => this.release(device, { kind: "failed", failure: "insecure" }));
			return;
		}
		let tracks: LocalTrack[];
		try {
			tracks = await createLocalTracks(this.constraints(devices));
		} catch (error) {
			await this.acquireFailed(devices, turns, error);
			return;
		}
		devices.forEach((device, i) => {
			const track = tracks.find((t) => t.kind === (device === "camera" ? Track.Kind.Video : Track.Kind.Audio));
			if (this.isOver || turns[i] !== this.turn[device]) {
				track?.stop();
			} else {
				this.set({ ...this.get(), [device]: track ? { kind: "on", track } : { kind: "failed", failure: "missing" } });
			}
		});
		await this.list(); // now the devices have names
	}

	/** One of two devices that fails takes the other down with it: then each is asked for alone. */
	private async acquireFailed(devices: readonly Device[], turns: readonly number[], error: unknown): Promise<void> {
		const failure = deviceFailure(error);
		const current = devices.filter((device, i) => !this.isOver && turns[i] === this.turn[device]);
		const again: Device[] = [];
		for (const device of current) {
			// Somebody who just said no is not asked the same question twice.
			if (devices.length > 1 && (failure !== "denied" || await isGranted(device))) {
				again.push(device);
			} else {
				this.release(device, { kind: "failed", failure });
			}
		}
		for (const device of again) {
			await this.acquire([device]);
		}
	}

	private constraints(devices: readonly Device[]) {
		const { cameraId, microphoneId } = this.get();
		return {
			video: devices.includes("camera") && { resolution: { width: 1280, height: 720 }, ...idealDevice(cameraId) },
			audio: devices.includes("microphone") && {
				echoCancellation: true,
				noiseSuppression: true,
				autoGainControl: true,
				...idealDevice(microphoneId),
			},
		};
	}

	private readonly list = async (): Promise<void> => {
		const all = await listDevices();
		if (!this.isOver) {
			this.set({ ...this.get(), ...all });
		}
	};
}

/** Empty until a permission was given: before that, browsers do not name devices. */
export async function listDevices(): Promise<Pick<PreviewState, "cameras" | "microphones">> {
	const all = (await mediaDevices()?.enumerateDevices().catch(() => [])) ?? [];
	const named = all.filter((d) => d.deviceId !== "" && d.label !== "");
	return {
		cameras: named.filter((d) => d.kind === "videoinput"),
		microphones: named.filter((d) => d.kind === "audioinput"),
	};
}

/** A device that was chosen once and is gone today is no reason to fail. */
export function idealDevice(id: string): { deviceId?: { ideal: string } } {
	return id ? { deviceId: { ideal: id } } : {};
}

/** Undefined on pages that did not come over HTTPS or from this machine. */
export function mediaDevices(): MediaDevices | undefined {
	return navigator.mediaDevices as MediaDevices | undefined;
}

async function isGranted(device: Device): Promise<boolean> {
	try {
		const { state } = await navigator.permissions.query({ name: device as PermissionName });
		return state === "granted";
	} catch {
		return false;
	}
}
