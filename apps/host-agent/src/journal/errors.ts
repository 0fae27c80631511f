/** The journal as it lies on the disk is not the one that was written. To go on without what is lost could act on a closed epoch. */
export class JournalCorrupted extends Error {
  override readonly name = 'JournalCorrupted';
  constructor(
    readonly file: string,
    readonly line: number,
  ) {
    super(
      `line ${line} of the journal ${file} does not bear its checksum; restore the file, or expel every workspace of this host and remove it`,
    );
  }
}

/** The journal cannot be written now (or, after a failed fsync, not before the agent is started again): nothing may be done. */
export class JournalUnavailable extends Error {
  override readonly name = 'JournalUnavailable';
}
