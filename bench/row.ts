/** One figure of one benchmark, as `npm run bench` prints it and the README quotes it. */
export interface BenchRow {
  readonly figure: string;
  readonly value: number;
  /** What the value is held to, such as '>= 0.8'; '' where it is only there to be seen beside another. */
  readonly aim: string;
  /** Unit of the value; 'ratio' where two figures of the same run are divided. */
  readonly unit: string;
  /** How it was measured, in one line. */
  readonly detail: string;
}
