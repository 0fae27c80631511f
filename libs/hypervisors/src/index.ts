export type {
  AdoptedGuest,
  Capability,
  GuestEvent,
  GuestObservation,
  GuestSpec,
  HotImageFile,
  Hypervisor,
  ProbeResult,
  VmmProfile,
  VmmType,
} from './port.js';
export {
  GuestNotStarted,
  IncompatibleHotImage,
  NoSuchGuest,
  NotPaused,
  ObservationImpossible,
  WrongEpoch,
} from './errors.js';
export type { HypervisorDeps } from './deps.js';
export { pickHypervisor, type PickedHypervisor } from './pick.js';
export { createHypervisor } from './registry.js';
export { buildHeartbeatGuest } from './heartbeat-guest/index.js';
