import { useEffect, useRef, useState } from "react";
import { MicrophoneIcon, PersonIcon, ScreenIcon } from "./icons";
import { mayFill } from "./layout";
import { avatarColour, initials } from "./people";
import type { MediaSource, Person } from "./roster";

/** A picture from a camera or a screen. */
export function Video({ source, mirrored = false, whole = false }: {
	source: MediaSource;
	mirrored?: boolean;
	/** Never cut anything off. */
	whole?: boolean;
}) {
	const ref = useRef<HTMLVideoElement>(null);
	const [isFilling, setFilling] = useState(true);

	useEffect(() => {
		const video = ref.current;
		if (!video) {
			return undefined;
		}
		const compare = () => {
			const picture = { width: video.videoWidth, height: video.videoHeight };
			setFilling(mayFill(picture, { width: video.clientWidth, height: video.clientHeight }));
		};
		const observer = new ResizeObserver(compare);
		observer.observe(video);
		video.addEventListener("resize", compare);
		source.attach(video);
		return () => {
			source.detach(video);
			video.removeEventListener("resize", compare);
			observer.disconnect();
		};
	}, [source]);

	const classes = ["video", mirrored && "video--mirrored", (whole || !isFilling) && "video--whole"];
	return <video ref={ref} className={classes.filter(Boolean).join(" ")} autoPlay playsInline muted />;
}

/** Plays a voice. There is nothing to see. */
export function Sound({ source }: { source: MediaSource }) {
	const ref = useRef<HTMLAudioElement>(null);
	useEffect(() => {
		const audio = ref.current;
		if (!audio) {
			return undefined;
		}
		source.attach(audio);
		return () => {
			source.detach(audio);
		};
	}, [source]);
	return <audio ref={ref} autoPlay />;
}

export function Avatar({ identity, name }: { identity: string; name: string }) {
	return (
		<div className={`avatar avatar--${avatarColour(identity || name)}`} aria-hidden="true">
			<span className="avatar-letters">{name ? initials(name) : <PersonIcon />}</span>
		</div>
	);
}

/** One person of the grid. `note` says why one's own picture is missing. */
export function PersonTile({ person, note }: { person: Person; note?: string | undefined }) {
	const { identity, name, isLocal, isMuted, isSpeaking, camera } = person;
	const label = [
		isLocal ? `${name} (you)` : name,
		isMuted ? "muted" : "microphone on",
		camera ? "camera on" : (note ?? "camera off"),
	].join(", ");
	return (
		<li
			className={isSpeaking ? "tile tile--speaking" : "tile"}
			aria-label={label}
			data-testid="tile"
			data-identity={identity}
			data-local={isLocal}
			data-camera={camera ? "on" : "off"}
			data-muted={isMuted}
		>
			{camera ? <Video source={camera} mirrored={isLocal} /> : <Avatar identity={identity} name={name} />}
			<div className="tile-caption" aria-hidden="true">
				{isMuted && (
					<span className="tile-muted">
						<MicrophoneIcon off />
					</span>
				)}
				<span className="tile-name">{name}</span>
				{isLocal && <span className="tile-you">you</span>}
			</div>
			{!camera && note && <p className="tile-note" aria-hidden="true">{note}</p>}
		</li>
	);
}

export function ScreenTile({ person, source }: { person: Person; source: MediaSource }) {
	const text = person.isLocal ? "Your screen" : `${person.name}’s screen`;
	return (
		<figure className="tile tile--screen" aria-label={text} data-testid="screen" data-identity={person.identity}>
			<Video source={source} whole />
			<figcaption className="tile-caption" aria-hidden="true">
				<ScreenIcon />
				<span className="tile-name">{text}</span>
			</figcaption>
		</figure>
	);
}
