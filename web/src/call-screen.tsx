// A call as it runs: the tiles, the buttons below them, and what to know about the connection.

import { useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import type { CallView } from "./call";
import { DeviceFields } from "./fields";
import { CameraIcon, DevicesIcon, LeaveIcon, MicrophoneIcon, ScreenIcon, SoundIcon } from "./icons";
import { type Grid, gridLayout } from "./layout";
import { type Device, deviceLabel } from "./problems";
import type { Person } from "./roster";
import { useShortcuts } from "./shortcuts";
import { SwitchButton } from "./switch-button";
import { PersonTile, ScreenTile, Sound } from "./tile";

export interface CallActions {
	toggle: (device: Device) => void;
	choose: (device: Device, id: string) => void;
	toggleScreen: () => void;
	hear: () => void;
	dismiss: () => void;
	leave: () => void;
}

export function CallScreen({ view, actions, canShareScreen }: {
	view: CallView;
	actions: CallActions;
	canShareScreen: boolean;
}) {
	const { people, status } = view;
	useEffect(() => {
		document.title = `${view.room} · Sterna`;
	}, [view.room]);
	useShortcuts(view.canPublish
		? { m: () => actions.toggle("microphone"), v: () => actions.toggle("camera") }
		: {});

	return (
		<main className="call" aria-label={`Call in ${view.room}`}>
			<div className="call-messages">
				{status === "connecting" && <p className="banner"><Spinner />Connecting…</p>}
				{status === "reconnecting" && (
					<p className="banner banner--warning"><Spinner />Connection lost. Reconnecting…</p>
				)}
				{view.isSoundBlocked && (
					<button type="button" className="banner banner--button" data-testid="hear-button" onClick={actions.hear}>
						<SoundIcon />Click to hear the others
					</button>
				)}
				{view.problem && (
					<div className="banner banner--warning" role="alert" data-testid="error">
						<p>{view.problem}</p>
						<button type="button" className="button button--small" onClick={actions.dismiss}>Dismiss</button>
					</div>
				)}
			</div>
			<div className="call-middle">
				<Stage view={view} />
				<Toast text={view.announcement.text} count={view.announcement.count} />
			</div>
			<Controls view={view} actions={actions} canShareScreen={canShareScreen} />
			{people.flatMap((p) => p.sounds.map(({ id, source }) => <Sound key={id} source={source} />))}
		</main>
	);
}

function Spinner() {
	return <span className="spinner" aria-hidden="true" />;
}

function Stage({ view }: { view: CallView }) {
	const screens = view.people.flatMap((person) => (person.screen ? [{ person, source: person.screen }] : []));
	const note = (person: Person) =>
		person.isLocal && view.cameraFailure ? deviceLabel("camera", view.cameraFailure) : undefined;
	const tiles = view.people.map((p) => <PersonTile key={p.identity || "you"} person={p} note={note(p)} />);
	if (screens.length > 0) {
		return (
			<div className="stage stage--shared">
				<div className="screens">
					{screens.map(({ person, source }) => <ScreenTile key={person.identity} person={person} source={source} />)}
				</div>
				<ul className="strip" aria-label="People">{tiles}</ul>
			</div>
		);
	}
	return <GridOf count={view.people.length}>{tiles}</GridOf>;
}

function GridOf({ count, children }: { count: number; children: React.ReactNode }) {
	const ref = useRef<HTMLUListElement>(null);
	const [grid, setGrid] = useState<Grid>();
	useLayoutEffect(() => {
		const list = ref.current;
		if (!list) {
			return undefined;
		}
		const measure = () => {
			const gap = Number.parseFloat(getComputedStyle(list).columnGap) || 0;
			setGrid(gridLayout(count, list.clientWidth, list.clientHeight, gap));
		};
		const observer = new ResizeObserver(measure);
		observer.observe(list);
		measure();
		return () => observer.disconnect();
	}, [count]);
	useLayoutEffect(() => {
		const style = ref.current?.style;
		style?.setProperty("--tile-width", `${grid?.tileWidth ?? 0}px`);
		style?.setProperty("--tile-height", `${grid?.tileHeight ?? 0}px`);
		style?.setProperty("--columns", `${grid?.columns ?? 1}`);
	}, [grid]);
	return (
		<ul ref={ref} className="stage stage--grid" aria-label="People" data-testid="grid" data-columns={grid?.columns}>
			{children}
		</ul>
	);
}

/** Comings and goings, for the eye. Screen readers hear them from the live region of the page. */
function Toast({ text, count }: { text: string; count: number }) {
	const [shown, setShown] = useState(0);
	useEffect(() => {
		setShown(count);
		const timer = setTimeout(() => setShown(0), 3500);
		return () => clearTimeout(timer);
	}, [count]);
	const isShown = shown === count && /(joined|left)$/.test(text);
	return isShown ? <p className="toast" aria-hidden="true">{text}</p> : null;
}

function Controls({ view, actions, canShareScreen }: {
	view: CallView;
	actions: CallActions;
	canShareScreen: boolean;
}) {
	const me = view.people.find((p) => p.isLocal);
	const isMuted = me?.isMuted ?? true;
	const isCameraOff = !me?.camera;
	const canSwitch = view.canPublish && view.status !== "connecting";
	return (
		<div className="switches call-controls" role="group" aria-label="Call controls">
			<SwitchButton
				label={isMuted ? "Unmute" : "Mute"}
				text={isMuted ? "Unmute" : "Mute"}
				icon={<MicrophoneIcon off={isMuted} />}
				isOff={isMuted}
				shortcut="M"
				testId="mute-button"
				disabled={!canSwitch}
				onClick={() => actions.toggle("microphone")}
			/>
			<SwitchButton
				label={isCameraOff ? "Turn camera on" : "Turn camera off"}
				text="Camera"
				icon={<CameraIcon off={isCameraOff} />}
				isOff={isCameraOff}
				shortcut="V"
				testId="camera-button"
				disabled={!canSwitch}
				onClick={() => actions.toggle("camera")}
			/>
			{canShareScreen && (
				<SwitchButton
					label={view.isSharingScreen ? "Stop sharing your screen" : "Share your screen"}
					text={view.isSharingScreen ? "Stop" : "Share"}
					icon={<ScreenIcon />}
					isActive={view.isSharingScreen}
					testId="screen-button"
					disabled={!canSwitch}
					onClick={actions.toggleScreen}
				/>
			)}
			<DeviceMenu view={view} onChoose={actions.choose} />
			<SwitchButton
				label="Leave the call"
				text="Leave"
				icon={<LeaveIcon />}
				isDanger
				testId="leave-button"
				onClick={actions.leave}
			/>
		</div>
	);
}

function DeviceMenu({ view, onChoose }: { view: CallView; onChoose: CallActions["choose"] }) {
	const [isOpen, setOpen] = useState(false);
	const ref = useRef<HTMLDivElement>(null);
	const id = useId();
	useEffect(() => {
		if (!isOpen) {
			return undefined;
		}
		ref.current?.querySelector("select")?.focus();
		const onKey = (event: KeyboardEvent) => {
			if (event.key === "Escape") {
				setOpen(false);
				ref.current?.querySelector("button")?.focus();
			}
		};
		const onPress = (event: PointerEvent) => {
			if (event.target instanceof Node && !ref.current?.contains(event.target)) {
				setOpen(false);
			}
		};
		window.addEventListener("keydown", onKey);
		window.addEventListener("pointerdown", onPress);
		return () => {
			window.removeEventListener("keydown", onKey);
			window.removeEventListener("pointerdown", onPress);
		};
	}, [isOpen]);
	return (
		<div className="menu" ref={ref}>
			<SwitchButton
				label="Devices: camera and microphone"
				text="Devices"
				icon={<DevicesIcon />}
				isActive={isOpen}
				testId="devices-button"
				aria-expanded={isOpen}
				aria-controls={id}
				onClick={() => setOpen(!isOpen)}
			/>
			<div className="menu-panel" id={id} hidden={!isOpen}>
				<DeviceFields devices={view} onChoose={onChoose} />
			</div>
		</div>
	);
}
