import { useEffect, useState } from "react";
import { LinkIcon, Tern } from "./icons";
import { pathOfRoom } from "./rooms";
import type { Status } from "./state";

export function TopBar({ status, room }: { status: Status; room: string | undefined }) {
	return (
		<header className={room ? "top top--call" : "top"}>
			<span className="brand"><Tern /><span className="brand-name">Sterna</span></span>
			{room && <RoomName room={room} />}
			<span className={status === "idle" ? "visually-hidden" : `status status--${status}`}>
				<span data-testid="status">{status}</span>
			</span>
		</header>
	);
}

function RoomName({ room }: { room: string }) {
	const [isCopied, setCopied] = useState(false);
	useEffect(() => {
		const timer = setTimeout(() => setCopied(false), 2000);
		return () => clearTimeout(timer);
	}, [isCopied]);
	const clipboard = navigator.clipboard as Clipboard | undefined; // missing on pages without HTTPS
	const copy = async () => {
		await clipboard?.writeText(new URL(pathOfRoom(room), window.location.href).href);
		setCopied(true);
	};
	return (
		<div className="room">
			<span className="room-name">{room}</span>
			{clipboard && (
				<button
					type="button"
					className="button button--small"
					data-testid="copy-button"
					aria-label="Copy the link to this room"
					onClick={() => void copy().catch(() => undefined)}
				>
					<LinkIcon />
					<span className="room-copy" role="status">{isCopied ? "Copied" : "Copy link"}</span>
				</button>
			)}
		</div>
	);
}
