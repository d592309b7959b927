import { defineConfig } from "vitest/config";

// During development (`npm run dev`) a server on this machine answers for tokens and signalling.
const server = "http://127.0.0.1:7880";

export default defineConfig({
	esbuild: { jsx: "automatic" },
	build: {
		target: "es2022",
		// The page's security policy has no place for files inside of files.
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		chunkSizeWarningLimit: 1000,
		rollupOptions: {
			output: {
				// livekit-client is the bulk of the page and rarely changes: it stays cached when the rest does.
				manualChunks: { livekit: ["livekit-client"], react: ["react", "react-dom/client"] },
			},
		},
	},
	server: {
		proxy: {
			"/api": server,
			"/dev/token": server,
			"/rtc": { target: server, ws: true },
		},
	},
	test: {
		include: ["test/**/*.test.{ts,tsx}"],
		environment: "node",
	},
});
