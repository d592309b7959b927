// The page before a call: who, where, and with which camera and microphone.

import { type FormEvent, useEffect, useState } from "react";
import { DeviceFields, TextField } from "./fields";
import { type Nat, natWarning } from "./ice";
import { CameraIcon, MicrophoneIcon } from "./icons";
import { LevelMeter } from "./level-meter";
import type { DeviceState, PreviewState } from "./preview";
import { type Device, deviceLabel, deviceText } from "./problems";
import { nameProblem } from "./rooms";
import { SwitchButton } from "./switch-button";
import { useShortcuts } from "./shortcuts";
import { Avatar, Video } from "./tile";
import { type GivenToken, tokenCommand } from "./token";

export interface StartProps {
	preview: PreviewState;
	name: string;
	room: string;
	given: GivenToken | undefined;
	/** What a strict network can hope for. */
	nat: Nat;
	/** True if the server gives no tokens and none came with the address. */
	needsToken: boolean;
	onName: (name: string) => void;
	onRoom: (room: string) => void;
	onToggle: (device: Device) => void;
	onChoose: (device: Device, id: string) => void;
	onJoin: () => void;
}

export function StartScreen(props: StartProps) {
	const { preview, given, needsToken, name, room } = props;
	const [isTried, setTried] = useState(false);
	const problems = {
		name: given ? undefined : nameProblem("name", name),
		room: given?.room ? undefined : nameProblem("room", room),
	};
	useShortcuts({ m: () => props.onToggle("microphone"), v: () => props.onToggle("camera") });
	useEffect(() => {
		document.title = room ? `${room} · Sterna` : "Sterna";
	}, [room]);

	const join = (event: FormEvent) => {
		event.preventDefault();
		setTried(true);
		const first = problems.name ? "name-input" : problems.room ? "room-input" : undefined;
		if (first) {
			document.getElementById(first)?.focus();
		} else if (!needsToken) {
			props.onJoin();
		}
	};

	return (
		<main className="start">
			<PreviewPane preview={preview} name={name} onToggle={props.onToggle} />
			<form className="join" onSubmit={join} noValidate>
				<h1>Join a call</h1>
				<TextField
					label="Your name"
					testId="name-input"
					value={name}
					onChange={props.onName}
					error={isTried ? problems.name : undefined}
					hint={given && "Set by the token in your link."}
					readOnly={given !== undefined}
					autoComplete="name"
					autoFocus={!name}
				/>
				<TextField
					label="Room"
					testId="room-input"
					value={room}
					onChange={props.onRoom}
					error={isTried ? problems.room : undefined}
					hint={given?.room ? "Set by the token in your link." : "Everybody who enters this name meets here."}
					readOnly={given?.room !== undefined}
					autoComplete="off"
					spellCheck={false}
				/>
				<div className="field-pair">
					<DeviceFields devices={preview} onChoose={props.onChoose} />
				</div>
				<Problems preview={preview} needsToken={needsToken} room={room} />
				<button
					type="submit"
					className="button button--primary"
					data-testid="join-button"
					disabled={needsToken}
					title={natWarning(props.nat)}
					data-nat={props.nat.loaded ? (props.nat.hasTurn ? "relay" : "direct") : undefined}
				>
					{joinLabel(preview)}
				</button>
			</form>
		</main>
	);
}

function joinLabel({ camera, microphone }: PreviewState): string {
	const fails = camera.kind === "failed" && microphone.kind === "failed";
	return fails ? "Join to watch and listen" : "Join";
}

function PreviewPane({ preview, name, onToggle }: {
	preview: PreviewState;
	name: string;
	onToggle: (device: Device) => void;
}) {
	const { camera, microphone } = preview;
	return (
		<section className="preview" aria-label="Preview of your camera and microphone">
			<div className="tile preview-tile" data-testid="preview" data-camera={camera.kind}>
				{camera.kind === "on"
					? <Video source={camera.track} mirrored />
					: <Avatar identity="" name={name} />}
				{camera.kind !== "on" && <p className="tile-note">{cameraNote(camera)}</p>}
				{microphone.kind === "on" && <LevelMeter track={microphone.track} />}
			</div>
			<div className="switches">
				<SwitchButton
					label={isOn(microphone) ? "Mute" : "Unmute"}
					text={isOn(microphone) ? "Mute" : "Unmute"}
					icon={<MicrophoneIcon off={!isOn(microphone)} />}
					isOff={!isOn(microphone)}
					shortcut="M"
					testId="mute-button"
					onClick={() => onToggle("microphone")}
				/>
				<SwitchButton
					label={isOn(camera) ? "Turn camera off" : "Turn camera on"}
					text="Camera"
					icon={<CameraIcon off={!isOn(camera)} />}
					isOff={!isOn(camera)}
					shortcut="V"
					testId="camera-button"
					onClick={() => onToggle("camera")}
				/>
			</div>
		</section>
	);
}

function isOn(state: DeviceState<unknown>): boolean {
	return state.kind === "on" || state.kind === "starting";
}

function cameraNote(camera: DeviceState<unknown>): string {
	switch (camera.kind) {
		case "starting":
			return "Starting the camera…";
		case "failed":
			return deviceLabel("camera", camera.failure);
		default:
			return "Camera off";
	}
}

/** All that stands in the way, in one place. */
function Problems({ preview, needsToken, room }: { preview: PreviewState; needsToken: boolean; room: string }) {
	const { camera, microphone } = preview;
	// The same failure of both is told once, for the one that matters more in a call.
	const isSame = camera.kind === "failed" && microphone.kind === "failed" && camera.failure === microphone.failure;
	const isAny = needsToken || camera.kind === "failed" || microphone.kind === "failed";
	return (
		<div role="status" className="problems">
			{isAny && (
				<div className="notice" data-testid="error">
					{needsToken && (
						<div data-testid="token-needed">
							<p>
								<strong>A token is needed to join.</strong> This server gives none to strangers. Ask its
								operator for a link, made with
							</p>
							<pre><code>{tokenCommand(room)}</code></pre>
							<p>and opened as <code>{`${window.location.origin}/#token=…`}</code></p>
						</div>
					)}
					{isSame && camera.kind === "failed"
						? <p>{bothText(camera.failure)}</p>
						: (
							<>
								{camera.kind === "failed" && <p>{deviceText("camera", camera.failure)}</p>}
								{microphone.kind === "failed" && <p>{deviceText("microphone", microphone.failure)}</p>}
							</>
						)}
				</div>
			)}
		</div>
	);
}

function bothText(failure: Parameters<typeof deviceText>[1]): string {
	switch (failure) {
		case "denied":
			return "The browser does not let this page use your camera and microphone. Allow both in the site’s settings, left of the address, and switch them on again. You can still join to watch and listen.";
		case "missing":
			return "No camera and no microphone was found. You can still join to watch and listen.";
		case "insecure":
			return "Browsers give a camera and a microphone only to pages opened over HTTPS or on localhost. You can still join to watch and listen.";
		default:
			return "Your camera and microphone could not be started; another program may be using them. You can still join to watch and listen.";
	}
}
