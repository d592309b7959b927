// Who is in a room and what is to be seen of them, taken from livekit-client's objects.

import { Track } from "livekit-client";

/** What a <video> or <audio> element can be tied to: a track of livekit-client, or a stand-in. */
export interface MediaSource {
	attach(element: HTMLMediaElement): unknown;
	detach(element: HTMLMediaElement): unknown;
}

export interface Person {
	identity: string;
	name: string;
	isLocal: boolean;
	isMuted: boolean;
	isSpeaking: boolean;
	camera: MediaSource | undefined;
	screen: MediaSource | undefined;
	/** What there is to play: voice and the sound of a shared screen. Empty for the local person. */
	sounds: readonly { id: string; source: MediaSource }[];
}

interface Publication {
	isMuted: boolean;
	trackSid: string;
	track?: MediaSource | undefined;
}

export interface ParticipantLike {
	identity: string;
	name?: string | undefined;
	isSpeaking: boolean;
	joinedAt?: Date | undefined;
	getTrackPublication(source: Track.Source): Publication | undefined;
}

export interface RoomLike {
	localParticipant: ParticipantLike;
	remoteParticipants: ReadonlyMap<string, ParticipantLike>;
}

export function personOf(participant: ParticipantLike, isLocal: boolean): Person {
	const of = (source: Track.Source) => participant.getTrackPublication(source);
	const live = (source: Track.Source) => {
		const publication = of(source);
		return publication && !publication.isMuted ? publication.track : undefined;
	};
	const sounds = isLocal ? [] : [Track.Source.Microphone, Track.Source.ScreenShareAudio].flatMap((source) => {
		const publication = of(source);
		return publication?.track ? [{ id: publication.trackSid, source: publication.track }] : [];
	});
	const microphone = of(Track.Source.Microphone);
	return {
		identity: participant.identity,
		name: participant.name || participant.identity,
		isLocal,
		isMuted: !microphone || microphone.isMuted,
		isSpeaking: participant.isSpeaking && !!microphone && !microphone.isMuted,
		camera: live(Track.Source.Camera),
		screen: live(Track.Source.ScreenShare),
		sounds,
	};
}

/** The others in the order they came in, which never reshuffles the grid, and oneself last. */
export function rosterOf(room: RoomLike): Person[] {
	const others = [...room.remoteParticipants.values()].sort((a, b) =>
		(a.joinedAt?.getTime() ?? 0) - (b.joinedAt?.getTime() ?? 0) || (a.identity < b.identity ? -1 : 1));
	return [...others.map((p) => personOf(p, false)), personOf(room.localParticipant, true)];
}
