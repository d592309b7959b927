// A call without a server, to look at: /dev/index.html?demo=5&status=reconnecting&share while `npm run dev` runs.
// It is no part of the build.

import "../src/styles/tokens.css";
import "../src/styles/base.css";
import "../src/styles/start.css";
import "../src/styles/call.css";
import { useState } from "react";
import { createRoot } from "react-dom/client";
import type { CallView } from "../src/call";
import { CallScreen } from "../src/call-screen";
import type { MediaSource, Person } from "../src/roster";
import { START, type Status } from "../src/state";
import { TopBar } from "../src/top-bar";

const query = new URLSearchParams(window.location.search);
const count = Number(query.get("demo") ?? 3);
const NAMES = [
	"Ada Lovelace", "Grace Hopper", "Edsger Dijkstra", "Radia Perlman", "李明", "Hedy Lamarr",
	"Somebody with a name that is much too long for a tile", "Tim", "You Yourself",
];

/** A picture that moves a little, in the shape of a camera's or a screen's. */
class Painted implements MediaSource {
	private readonly stream: MediaStream;

	constructor(hue: number, width: number, height: number) {
		const canvas = document.createElement("canvas");
		canvas.width = width;
		canvas.height = height;
		const context = canvas.getContext("2d");
		const draw = (time: number) => {
			if (!context) {
				return;
			}
			const light = context.createLinearGradient(0, 0, width, height);
			light.addColorStop(0, `hsl(${hue} 35% 58%)`);
			light.addColorStop(1, `hsl(${hue + 40} 40% 24%)`);
			context.fillStyle = light;
			context.fillRect(0, 0, width, height);
			const x = width / 2 + Math.sin(time / 900 + hue) * width * 0.02;
			context.fillStyle = `hsl(${hue + 180} 25% 78%)`;
			context.beginPath();
			context.arc(x, height * 0.42, height * 0.17, 0, 7);
			context.ellipse(x, height * 1.02, height * 0.34, height * 0.38, 0, 0, 7);
			context.fill();
			requestAnimationFrame(draw);
		};
		draw(0);
		this.stream = canvas.captureStream(15);
	}

	attach(element: HTMLMediaElement): void {
		element.srcObject = this.stream;
	}

	detach(element: HTMLMediaElement): void {
		element.srcObject = null;
	}
}

const cameras = NAMES.map((_, i) => new Painted(i * 47, i === 3 ? 720 : 1280, i === 3 ? 1280 : 720));
const screen = new Painted(200, 1920, 1080);

function peopleOf(isCameraOn: boolean, isMuted: boolean): Person[] {
	const names = [...NAMES.slice(0, Math.max(0, count - 1)), "You Yourself"];
	return names.map((name, i): Person => {
		const isLocal = i === names.length - 1;
		return {
			identity: `${name}-${i}`,
			name,
			isLocal,
			isMuted: isLocal ? isMuted : i % 3 === 1,
			isSpeaking: i === 0 && !isLocal,
			camera: (isLocal ? isCameraOn : i % 4 !== 2) ? cameras[i] : undefined,
			screen: query.has("share") && i === 0 ? screen : undefined,
			sounds: [],
		};
	});
}

function Demo() {
	const [isCameraOn, setCameraOn] = useState(!query.has("nocamera"));
	const [isMuted, setMuted] = useState(false);
	const [hasProblem, setProblem] = useState(query.has("problem"));
	const view: CallView = {
		...START,
		status: (query.get("status") ?? "connected") as Status,
		room: "kat-oren-lim",
		people: peopleOf(isCameraOn, isMuted),
		announcement: { text: "Grace Hopper joined", count: 1 },
		problem: hasProblem ? "Your camera is in use by another program or does not start." : undefined,
		isSoundBlocked: query.has("blocked"),
		cameras: [],
		microphones: [],
		cameraFailure: query.has("nocamera") ? "missing" : undefined,
		cameraId: "",
		microphoneId: "",
		isSharingScreen: false,
		canPublish: true,
	};
	return (
		<>
			<TopBar status={view.status} room={view.room} />
			<CallScreen
				view={view}
				canShareScreen
				actions={{
					toggle: (device) => (device === "camera" ? setCameraOn(!isCameraOn) : setMuted(!isMuted)),
					choose: () => undefined,
					toggleScreen: () => undefined,
					hear: () => undefined,
					dismiss: () => setProblem(false),
					leave: () => undefined,
				}}
			/>
		</>
	);
}

const root = document.getElementById("root");
if (root) {
	createRoot(root).render(<Demo />);
}
