/** Tables without rules, as narrow as their contents; on a terminal no wider than its lines, so that none wraps. */
import Table from 'cli-table3';
import type { Output, Style } from './output.js';
import { printable } from './text.js';

export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  readonly align?: 'right';
  readonly style?: (row: Row) => Style | undefined;
}

const GAP = 2;
/** Below this a shortened cell says nothing any more. */
const NARROWEST = 6;

const noRules = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid']
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
    .concat('middle')
    .map((name) => [name, '']),
);

export function table<Row>(output: Output, columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const texts = rows.map((row) => columns.map(({ cell }) => printable(cell(row))));
  const widths = columns.map(({ head }, at) => Math.max(head.length, ...texts.map((cells) => cells[at]?.length ?? 0)));
  const drawn = new Table({
    head: columns.map(({ head }) => output.paint('bold', head)),
    chars: noRules,
    style: { 'padding-left': 0, 'padding-right': GAP, head: [], border: [] },
    colAligns: columns.map(({ align }) => align ?? 'left'),
    colWidths: shrink(widths, output.columns).map((width) => width + GAP),
  });
  texts.forEach((cells, at) => {
    drawn.push(
      columns.map(({ style }, column) => {
        const chosen = style?.(rows[at] as Row);
        const text = cells[column] ?? '';
        return chosen ? output.paint(chosen, text) : text;
      }),
    );
  });
  return drawn.toString().replace(/ +$/gm, '');
}

/** Takes from the widest column until everything fits, or nothing more can be taken. */
function shrink(widths: readonly number[], available: number): number[] {
  const fitted = [...widths];
  const total = () => fitted.reduce((sum, width) => sum + width + GAP, -GAP);
  while (total() > available) {
    const widest = Math.max(...fitted);
    if (widest <= NARROWEST) break;
    fitted[fitted.indexOf(widest)] = widest - 1;
  }
  return fitted;
}
