// Where tiles go: how many columns and rows, and how large each tile may be.

export interface Grid {
	columns: number;
	rows: number;
	/** CSS pixels. */
	tileWidth: number;
	tileHeight: number;
}

// A tile's shape may go this far from its stage's, so that faces are neither cut off nor lost in bars.
const WIDEST = 16 / 9;
const WIDEST_ALONE = 2.2;
const NARROWEST = 5 / 6;
const NARROWEST_ALONE = 9 / 16;

// Of a picture, when its edges are cut off to fill a tile.
const SEEN_AT_LEAST = 0.45;

/** Columns and rows for n tiles on a stage that is wide, or taller than wide. */
export function gridShape(n: number, isTall: boolean): { columns: number; rows: number } {
	const [columns, rows] = wideShape(n);
	if (!isTall) {
		return { columns, rows };
	}
	if (n === 7 || n === 8) {
		return { columns: 2, rows: 4 };
	}
	return { columns: Math.min(columns, rows), rows: Math.max(columns, rows) };
}

function wideShape(n: number): [columns: number, rows: number] {
	if (n <= 1) {
		return [1, 1];
	}
	if (n === 2) {
		return [2, 1];
	}
	const columns = Math.ceil(Math.sqrt(n));
	return [columns, Math.ceil(n / columns)];
}

/** The largest tiles, all of one size, that let n of them fit on a stage with `gap` between them. */
export function gridLayout(n: number, width: number, height: number, gap: number): Grid {
	const { columns, rows } = gridShape(n, height > width);
	const cellWidth = Math.max(0, (width - gap * (columns - 1)) / columns);
	const cellHeight = Math.max(0, (height - gap * (rows - 1)) / rows);
	const widest = n <= 1 ? WIDEST_ALONE : WIDEST;
	const narrowest = n <= 1 ? NARROWEST_ALONE : NARROWEST;
	return {
		columns,
		rows,
		// Whole pixels, rounded down: a sum that is a fraction too wide would break the line early.
		tileWidth: Math.floor(Math.min(cellWidth, cellHeight * widest)),
		tileHeight: Math.floor(Math.min(cellHeight, cellWidth / narrowest)),
	};
}

/**
 * May a picture fill its tile, with its edges cut off? An upright one in a wide tile, or the other way round, would
 * lose more than its edges.
 */
export function mayFill(picture: { width: number; height: number }, tile: { width: number; height: number }): boolean {
	const a = picture.width * tile.height;
	const b = picture.height * tile.width;
	return a <= 0 || b <= 0 || Math.min(a, b) / Math.max(a, b) >= SEEN_AT_LEAST;
}
