/** What an adapter may say, classed by what is then true of the guest. */

/** Nothing runs and nothing will: absence was confirmed after the attempt. `stateIsBad` when the boot image or the hot image itself is at fault. */
export class GuestNotStarted extends Error {
  override readonly name = 'GuestNotStarted';
  constructor(
    message: string,
    readonly stateIsBad: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The hot image belongs to another VMM, version or machine; nothing was started. */
export class IncompatibleHotImage extends Error {
  override readonly name = 'IncompatibleHotImage';
}

/** There is no guest of this workspace on this host. */
export class NoSuchGuest extends Error {
  override readonly name = 'NoSuchGuest';
  constructor(readonly workspaceId: string) {
    super(`no guest of workspace ${workspaceId} is on this host`);
  }
}

/** The guest is another epoch's; nothing was done to it. */
export class WrongEpoch extends Error {
  override readonly name = 'WrongEpoch';
  constructor(
    readonly workspaceId: string,
    readonly asked: number,
    readonly actual: number,
  ) {
    super(`the guest of workspace ${workspaceId} belongs to epoch ${actual}, not to ${asked}`);
  }
}

/** Only a paused guest can be serialised. */
export class NotPaused extends Error {
  override readonly name = 'NotPaused';
  constructor(readonly workspaceId: string) {
    super(`the guest of workspace ${workspaceId} is not paused`);
  }
}

/** The VMM cannot be asked now, so nothing is known; unlike absence. */
export class ObservationImpossible extends Error {
  override readonly name = 'ObservationImpossible';
}
