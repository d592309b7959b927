import { Track } from "livekit-client";
import { expect, test } from "vitest";
import { type MediaSource, type ParticipantLike, personOf, rosterOf } from "../src/roster";

const source = (): MediaSource => ({ attach: () => undefined, detach: () => undefined });

interface Published {
	isMuted?: boolean;
	track?: MediaSource | undefined;
}

function participant(identity: string, published: Partial<Record<Track.Source, Published>> = {}, joined = 0): ParticipantLike {
	return {
		identity,
		name: "",
		isSpeaking: true,
		joinedAt: new Date(joined),
		getTrackPublication: (of) => {
			const p = published[of];
			return p && { isMuted: p.isMuted ?? false, trackSid: `TR_${of}`, track: p.track };
		},
	};
}

test("a camera that is on is a picture; one that is muted or not yet here is none", () => {
	const track = source();
	expect(personOf(participant("a", { camera: { track } }), false).camera).toBe(track);
	expect(personOf(participant("a", { camera: { track, isMuted: true } }), false).camera).toBeUndefined();
	expect(personOf(participant("a", { camera: {} }), false).camera).toBeUndefined();
	expect(personOf(participant("a"), false).camera).toBeUndefined();
});

test("who has no microphone is muted, and who is muted does not speak", () => {
	expect(personOf(participant("a"), false)).toMatchObject({ isMuted: true, isSpeaking: false });
	expect(personOf(participant("a", { microphone: { isMuted: true } }), false)).toMatchObject({
		isMuted: true,
		isSpeaking: false,
	});
	expect(personOf(participant("a", { microphone: {} }), false)).toMatchObject({ isMuted: false, isSpeaking: true });
});

test("one hears the others, their screens too, but not oneself", () => {
	const published = { microphone: { track: source() }, screen_share_audio: { track: source() } };
	expect(personOf(participant("a", published), false).sounds.map((s) => s.id)).toEqual([
		"TR_microphone", "TR_screen_share_audio",
	]);
	expect(personOf(participant("a", published), true).sounds).toEqual([]);
});

test("a muted voice stays attached, so that unmuting is heard at once", () => {
	const track = source();
	const muted = personOf(participant("a", { microphone: { track, isMuted: true } }), false);
	expect(muted.sounds.map((s) => s.source)).toEqual([track]);
});

test("those without a name go by their identity", () => {
	expect(personOf(participant("ada-1"), false).name).toBe("ada-1");
	expect(personOf({ ...participant("ada-1"), name: "Ada" }, false).name).toBe("Ada");
});

test("others come in order of arrival, oneself last", () => {
	const others = [participant("late", {}, 30), participant("b", {}, 10), participant("a", {}, 10)];
	const people = rosterOf({
		localParticipant: participant("me", {}, 0),
		remoteParticipants: new Map(others.map((p) => [p.identity, p])),
	});
	expect(people.map((p) => p.identity)).toEqual(["a", "b", "late", "me"]);
	expect(people.map((p) => p.isLocal)).toEqual([false, false, false, true]);
});
