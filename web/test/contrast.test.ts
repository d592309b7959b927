// The colours of both schemes against WCAG 2.2: text 4.5 to 1 (§1.4.3), what marks and borders controls 3 to 1 (§1.4.11).

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("../src/styles/tokens.css", import.meta.url), "utf8");
const [light = "", dark = ""] = css.split("@media (prefers-color-scheme: dark)");

function colours(part: string): Record<string, string> {
	return Object.fromEntries([...part.matchAll(/--([\w-]+):\s*#([0-9a-f]{6})\b/g)].map((m) => [m[1], m[2]]));
}

function luminance(hex: string): number {
	const [r = 0, g = 0, b = 0] = [0, 2, 4].map((at) => {
		const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
		return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
	});
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
	const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
	return (high + 0.05) / (low + 0.05);
}

const TEXT = [
	["ink", "fog"], ["ink", "surface"], ["ink", "tile"], ["ink", "water-tint"], ["ink-soft", "fog"], ["ink-soft", "surface"],
	["ink-soft", "line"], ["on-water", "water"], ["on-water", "water-deep"], ["on-beak", "beak"], ["on-beak", "beak-deep"],
	["beak-ink", "beak-tint"], ["beak-ink", "fog"],
	...Array.from({ length: 8 }, (_, i) => ["avatar-ink", `avatar-${i}`]),
];
const MARKS = [["water", "fog"], ["line-strong", "fog"], ["line-strong", "surface"], ["speaking", "fog"], ["speaking", "tile"]];

const schemes: [string, Record<string, string>][] = [
	["light", colours(light)],
	["dark", { ...colours(light), ...colours(dark) }],
];

test.each(schemes)("in the %s scheme text and controls stand out", (_, colour) => {
	const low = (pairs: string[][], least: number) =>
		pairs.filter(([a = "", b = ""]) => !(contrast(colour[a] ?? "", colour[b] ?? "") >= least));
	expect(low(TEXT, 4.5)).toEqual([]);
	expect(low(MARKS, 3)).toEqual([]);
});
