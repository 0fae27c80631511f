/** The index of everything that happened: where each event lies in its stream and in the log. What it says stays in the log. */
export interface HistoryRow {
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
}
