import { expect, test } from "vitest";
import { gridLayout, gridShape, mayFill } from "../src/layout";

test.each([
	[1, 1, 1], [2, 2, 1], [3, 2, 2], [4, 2, 2], [5, 3, 2], [6, 3, 2], [7, 3, 3], [8, 3, 3], [9, 3, 3], [12, 4, 3],
])("%i tiles on a wide stage make %i columns and %i rows", (n, columns, rows) => {
	expect(gridShape(n, false)).toEqual({ columns, rows });
});

test.each([
	[1, 1, 1], [2, 1, 2], [3, 2, 2], [4, 2, 2], [5, 2, 3], [6, 2, 3], [7, 2, 4], [8, 2, 4], [9, 3, 3],
])("%i tiles on a phone make %i columns and %i rows", (n, columns, rows) => {
	expect(gridShape(n, true)).toEqual({ columns, rows });
});

const STAGES = [[1240, 650], [344, 602], [800, 600], [600, 600], [2500, 700], [320, 200]] as const;

test("tiles fit on their stage, one more column or row would not be needed", () => {
	for (const [width, height] of STAGES) {
		for (let n = 1; n <= 12; n++) {
			const { columns, rows, tileWidth, tileHeight } = gridLayout(n, width, height, 8);
			expect(columns * rows).toBeGreaterThanOrEqual(n);
			expect(columns * tileWidth + (columns - 1) * 8).toBeLessThanOrEqual(width);
			expect(rows * tileHeight + (rows - 1) * 8).toBeLessThanOrEqual(height);
			// They touch the stage's borders in one direction at least.
			const slackX = width - (columns * tileWidth + (columns - 1) * 8);
			const slackY = height - (rows * tileHeight + (rows - 1) * 8);
			expect(Math.min(slackX / columns, slackY / rows)).toBeLessThan(1);
		}
	}
});

test("tiles keep to shapes that suit faces", () => {
	for (const [width, height] of STAGES) {
		for (let n = 2; n <= 9; n++) {
			const { tileWidth, tileHeight } = gridLayout(n, width, height, 8);
			expect(tileWidth / tileHeight).toBeGreaterThan(0.8);
			expect(tileWidth / tileHeight).toBeLessThan(1.82);
		}
	}
});

test("a stage without a size gives tiles without one", () => {
	expect(gridLayout(4, 0, 0, 12)).toMatchObject({ tileWidth: 0, tileHeight: 0 });
});

test("a picture fills its tile unless more than half of it would be cut off", () => {
	const wide = { width: 1280, height: 720 };
	const upright = { width: 720, height: 1280 };
	expect(mayFill(wide, { width: 400, height: 300 })).toBe(true);
	expect(mayFill(wide, { width: 168, height: 195 })).toBe(true);
	expect(mayFill(upright, { width: 400, height: 300 })).toBe(false);
	expect(mayFill(wide, { width: 300, height: 500 })).toBe(false);
	expect(mayFill({ width: 0, height: 0 }, { width: 300, height: 500 })).toBe(true);
});
