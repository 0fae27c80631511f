export { openInProcessBus } from './bus.js';
