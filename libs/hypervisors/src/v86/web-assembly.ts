/** The little of WebAssembly's JavaScript API that is used here: Node has it, its types do not, and the browser's would bring all of the DOM. */
declare global {
  namespace WebAssembly {
    /** Compiled code; it may be posted to another thread, which shares it. */
    interface Module {
      readonly [Symbol.toStringTag]: 'WebAssembly.Module';
    }
    type Imports = Record<string, Record<string, unknown>>;
    type Exports = Record<string, unknown>;
    function compile(bytes: Uint8Array): Promise<Module>;
    function instantiate(module: Module, imports: Imports): Promise<{ readonly exports: Exports }>;
  }
}

export {};
