import { createAudioAnalyser, type LocalAudioTrack } from "livekit-client";
import { useEffect, useRef } from "react";

/** Moves with one's voice: the proof that the right microphone is on. */
export function LevelMeter({ track }: { track: LocalAudioTrack }) {
	const ref = useRef<HTMLDivElement>(null);
	useEffect(() => {
		const { calculateVolume, cleanup } = createAudioAnalyser(track, { smoothingTimeConstant: 0.6 });
		let frame = requestAnimationFrame(function draw() {
			// Voices are quiet next to full scale; the root spreads them over the bar.
			const level = Math.min(1, Math.sqrt(calculateVolume()) * 1.2);
			ref.current?.style.setProperty("--level", level.toFixed(3));
			frame = requestAnimationFrame(draw);
		});
		return () => {
			cancelAnimationFrame(frame);
			void cleanup();
		};
	}, [track]);
	return <div ref={ref} className="level" role="img" aria-label="Level of your microphone" />;
}
