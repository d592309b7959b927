import { useEffect, useRef } from "react";
import type { Ending } from "./problems";

/** The page after a call, however it ended. */
export function EndScreen({ ending, room, isBusy, onRejoin, onStart }: {
	ending: Ending;
	room: string;
	isBusy: boolean;
	onRejoin: () => void;
	onStart: () => void;
}) {
	const heading = useRef<HTMLHeadingElement>(null);
	useEffect(() => {
		document.title = `${ending.title} · Sterna`;
		heading.current?.focus();
	}, [ending]);
	return (
		<main className="end">
			<h1 ref={heading} tabIndex={-1}>{ending.title}</h1>
			<p data-testid={ending.isWanted ? undefined : "error"}>{ending.text}</p>
			<div className="end-actions">
				{ending.canRejoin && (
					<button
						type="button"
						className="button button--primary"
						data-testid="rejoin-button"
						disabled={isBusy}
						onClick={onRejoin}
					>
						Rejoin {room}
					</button>
				)}
				<button type="button" className="button" data-testid="start-button" onClick={onStart}>
					Back to the start
				</button>
			</div>
		</main>
	);
}
