/** The names of what lies in a workspace's directory, apart from what the agent stages there. */

/** The guest's console output so far. */
export const CONSOLE_FILE = 'serial.log';

/** All that an adapter keeps begins with this. */
export const KEPT_PREFIX = 'vmm-';
