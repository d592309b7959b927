// Which screen is shown, and what leads from one to the next.

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Call } from "./call";
import { CallScreen, type CallActions } from "./call-screen";
import { EndScreen } from "./end-screen";
import { type LocalMedia, mediaDevices, Preview } from "./preview";
import { inventRoom, pathOfRoom, roomFromPath } from "./rooms";
import { loadSettings, saveSettings } from "./settings";
import { StartScreen } from "./start-screen";
import { useStore } from "./store";
import { fetchDevToken, type GivenToken, takeTokenFromFragment } from "./token";
import { TopBar } from "./top-bar";
import { useIceServers } from "./use-ice";

export function App({ firstToken }: { firstToken: GivenToken | undefined }) {
	const [given, setGiven] = useState(firstToken);
	const [call, setCall] = useState<Call>();

	// A link with a token, opened where the page is open already, only changes the fragment.
	useEffect(() => {
		const onHash = () => {
			const next = takeTokenFromFragment(window.location, window.history);
			if (next) {
				setGiven(next);
			}
		};
		window.addEventListener("hashchange", onHash);
		return () => window.removeEventListener("hashchange", onHash);
	}, []);

	const join = useCallback((room: string, name: string, media: LocalMedia) => {
		// The address now leads back here, also after a reload.
		window.history.replaceState(null, "", pathOfRoom(room));
		const next = new Call({ room, name, given });
		setCall(next);
		void next.join(media);
	}, [given]);

	const start = () => {
		// A token that the server does not take is no use a second time.
		if (!call?.get().ending?.canRejoin) {
			setGiven(undefined);
		}
		setCall(undefined);
	};

	return (
		<>
			{call
				? <InCall key={call.id} call={call} onJoin={join} onStart={start} />
				: <BeforeCall given={given} onJoin={join} />}
			{/* Outlives the screens: text in a region that has only just appeared is not always read out. */}
			<p className="visually-hidden" role="status" aria-live="polite" data-testid="announcement">
				{call && <Announcement call={call} />}
			</p>
		</>
	);
}

function Announcement({ call }: { call: Call }) {
	return useStore(call).announcement.text;
}

type Join = (room: string, name: string, media: LocalMedia) => void;

function BeforeCall({ given, onJoin }: { given: GivenToken | undefined; onJoin: Join }) {
	const [name, setName] = useState(() => loadSettings().name);
	const [room, setRoom] = useState(() => roomFromPath(window.location.pathname) ?? inventRoom());
	const preview = usePreview();
	const needsToken = useNeedsToken(given);
	const { nat } = useIceServers();
	const shownName = given ? (given.name ?? given.identity ?? "") : name;
	const shownRoom = given?.room ?? room;

	const join = () => {
		if (!given) {
			saveSettings({ name: name.trim() });
		}
		onJoin(shownRoom.trim(), shownName.trim(), preview.take());
	};
	return (
		<>
			<TopBar status="idle" room={undefined} />
			<StartScreen
				preview={useStore(preview)}
				name={shownName}
				room={shownRoom}
				given={given}
				nat={nat}
				needsToken={needsToken}
				onName={setName}
				onRoom={setRoom}
				onToggle={(device) => void preview.toggle(device)}
				onChoose={(device, id) => void preview.choose(device, id)}
				onJoin={join}
			/>
		</>
	);
}

function InCall({ call, onJoin, onStart }: { call: Call; onJoin: Join; onStart: () => void }) {
	const view = useStore(call);
	const [isBusy, setBusy] = useState(false);
	const actions = useMemo<CallActions>(() => ({
		toggle: (device) => void call.toggle(device),
		choose: (device, id) => void call.choose(device, id),
		toggleScreen: () => void call.toggleScreen(),
		hear: () => void call.hear(),
		dismiss: () => call.dismiss(),
		leave: () => call.leave(),
	}), [call]);
	const rejoin = async () => {
		setBusy(true);
		const preview = new Preview();
		await preview.start();
		onJoin(call.options.room, call.options.name, preview.take());
	};
	return (
		<>
			<TopBar status={view.status} room={view.status === "disconnected" ? undefined : view.room} />
			{view.ending
				? (
					<EndScreen
						ending={view.ending}
						room={view.room}
						isBusy={isBusy}
						onRejoin={() => void rejoin()}
						onStart={onStart}
					/>
				)
				: <CallScreen view={view} actions={actions} canShareScreen={!!mediaDevices()?.getDisplayMedia} />}
		</>
	);
}

/** A preview for as long as the page before a call is shown. */
function usePreview(): Preview {
	const [preview] = useState(() => new Preview());
	const isStarted = useRef(false);
	useEffect(() => {
		if (!isStarted.current) {
			isStarted.current = true;
			void preview.start();
		}
		return () => preview.stop();
	}, [preview]);
	return preview;
}

/** Asks once whether the server gives tokens, so that nobody fills in a form in vain. */
function useNeedsToken(given: GivenToken | undefined): boolean {
	const [isRefused, setRefused] = useState(false);
	useEffect(() => {
		if (given) {
			return undefined;
		}
		const abort = new AbortController();
		fetchDevToken("probe", "probe", undefined, abort.signal).then(
			(answer) => setRefused(answer.kind === "not-dev"),
			() => undefined, // aborted
		);
		return () => abort.abort();
	}, [given]);
	return isRefused && !given;
}
