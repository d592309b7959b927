// Drawn on a 24 × 24 grid with one stroke width. They say nothing to screen readers: what they are in does.

import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
	return (
		<svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
			{children}
		</svg>
	);
}

export function MicrophoneIcon({ off = false }: { off?: boolean }) {
	return (
		<Icon>
			<rect x="9" y="3" width="6" height="11" rx="3" />
			<path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />
			{off && <path className="icon-slash" d="M4 4l16 16" />}
		</Icon>
	);
}

export function CameraIcon({ off = false }: { off?: boolean }) {
	return (
		<Icon>
			<rect x="2.5" y="6" width="13" height="12" rx="3" />
			<path d="M15.5 11l6-3.5v9l-6-3.5z" />
			{off && <path className="icon-slash" d="M4 4l16 16" />}
		</Icon>
	);
}

export function PersonIcon() {
	return (
		<Icon>
			<circle cx="12" cy="8" r="4" />
			<path d="M4.5 20.5a7.5 7.5 0 0 1 15 0" />
		</Icon>
	);
}

export function ScreenIcon() {
	return (
		<Icon>
			<rect x="2.5" y="4" width="19" height="13" rx="2.5" />
			<path d="M8.5 21h7M12 13.5V8m-2.5 2L12 7.5l2.5 2.5" />
		</Icon>
	);
}

export function LeaveIcon() {
	return (
		<Icon>
			<path d="M13.5 4H7a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h6.5M10.5 12H21m-3.5-3.5L21 12l-3.5 3.5" />
		</Icon>
	);
}

export function DevicesIcon() {
	return (
		<Icon>
			<path d="M4 7h9m5 0h2M4 17h2m5 0h9" />
			<circle cx="15.5" cy="7" r="2.5" />
			<circle cx="8.5" cy="17" r="2.5" />
		</Icon>
	);
}

export function LinkIcon() {
	return (
		<Icon>
			<path d="M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1" />
		</Icon>
	);
}

export function SoundIcon() {
	return (
		<Icon>
			<path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11" />
		</Icon>
	);
}

/** The tern of the icon, in the colours of the page. */
export function Tern() {
	return (
		<svg className="tern" viewBox="3 4 44 36" aria-hidden="true" focusable="false">
			<path
				className="tern-body"
				d="M29 22C26 14 19 8 6 7c8 5 13 10 16 18-5 2-10 3-17 4l10 2-8 7c11-2 19-5 25-10 4-3 5-6 8-7-4-2-8-1-11 1z"
			/>
			<path className="tern-beak" d="m40 21 5-1.5-5-2.5z" />
		</svg>
	);
}
