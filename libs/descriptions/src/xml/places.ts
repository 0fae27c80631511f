/** Which element each field of a description came from, so that what is wrong with the field can be shown in the document. */
import type { Where } from '../problems.js';
import type { XmlTree } from './tree.js';

export class Places {
  readonly #elements = new Map<string, XmlTree>();

  set(pointer: string, element: XmlTree): void {
    this.#elements.set(pointer, element);
  }

  /** The field's element, or that of the nearest field around it. */
  locate(pointer: string): Where {
    for (let at = pointer; ; at = at.slice(0, at.lastIndexOf('/'))) {
      const element = this.#elements.get(at);
      if (element) return { line: element.line, element: element.name, field: pointer };
      if (at === '') return { field: pointer };
    }
  }
}
