import { useEffect } from "react";
import { type IceState, iceServers } from "./ice";
import { useStore } from "./store";

/** The ICE servers for calls from this page, asked for when the first component wants them. */
export function useIceServers(): IceState {
	useEffect(() => void iceServers.load(), []);
	return useStore(iceServers);
}
