export { buildHeartbeatGuest } from './guest.js';
