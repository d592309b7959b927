import type { ReactNode } from "react";

/** A round button that switches something. Its label says what a press does; `isOff` shows how things are. */
export function SwitchButton({ label, text, icon, isOff = false, isDanger = false, isActive, testId, shortcut, ...rest }: {
	label: string;
	/** Short, below the icon, where there is space. */
	text: string;
	icon: ReactNode;
	isOff?: boolean;
	isDanger?: boolean;
	/** A button that opens or holds something: told as pressed or expanded by `aria`. */
	isActive?: boolean;
	testId: string;
	shortcut?: string;
	onClick: () => void;
	disabled?: boolean;
	"aria-expanded"?: boolean;
	"aria-controls"?: string;
}) {
	const classes = [
		"switch",
		isOff && "switch--off",
		isDanger && "switch--danger",
		isActive && "switch--active",
	];
	return (
		<button
			type="button"
			className={classes.filter(Boolean).join(" ")}
			aria-label={label}
			aria-keyshortcuts={shortcut}
			title={shortcut ? `${label} (${shortcut})` : label}
			data-testid={testId}
			data-state={isOff ? "off" : "on"}
			{...rest}
		>
			{icon}
			<span className="switch-text" aria-hidden="true">{text}</span>
		</button>
	);
}
