export type * from './http.js';
export { commandVerbs } from './http.js';
export type * from './messages.js';
export { subjects } from './subjects.js';
