export type { Bus, Delivery, Payload, Refusal, Verdict } from './port.js';
export { BusRefused, BusTimeout, BusUnavailable } from './port.js';
export { openInProcessBus } from './in-process/index.js';
